package alert

import (
	"slices"
	"time"
)

// Finding is a sentence that an analyst can act on.
type Finding struct {
	Kind FindingKind `json:"kind"`
	// Text is a sentence without a full stop.
	Text string `json:"text"`
}

// FindingKind names what was found, as settings and the README do.
type FindingKind string

// The kinds of findings. A prompt is one for the second factor, and one that was
// not approved was rejected, failed or left unanswered.
const (
	// FoundSuccessSameSignIn is a sign-in that succeeded at a step after one that the
	// user rejected.
	FoundSuccessSameSignIn FindingKind = "success-same-sign-in"
	// FoundSuccessSameIP is a success from the same address within
	// [AftermathLasts] after a prompt that was not approved.
	FoundSuccessSameIP FindingKind = "success-same-ip"
	// FoundMethodChanged is a change of the account's methods for the second factor
	// within [AftermathLasts] after a prompt that was not approved.
	FoundMethodChanged FindingKind = "mfa-method-changed"
	// FoundSuccessSameNetwork is a success from another address of the same AS
	// within [AftermathLasts].
	FoundSuccessSameNetwork FindingKind = "success-same-network"
	// FoundBombing is many prompts within an hour.
	FoundBombing FindingKind = "bombing"
	// FoundPrivilegedRole is an account with an administrator's role.
	FoundPrivilegedRole FindingKind = "privileged-role"
	// FoundHighBlastRadius is an account with a high blast radius.
	FoundHighBlastRadius FindingKind = "high-blast-radius"
	// FoundRiskyUser is an account that Entra ID holds to be at risk.
	FoundRiskyUser FindingKind = "risky-user"
	// FoundSharedAddress is an address from which other accounts failed or rejected
	// too since the window began.
	FoundSharedAddress FindingKind = "shared-address"
	// FoundDisabledAccount is an account that is disabled by now.
	FoundDisabledAccount FindingKind = "disabled-account"
	// FoundNewCountry is a country from which the account did not sign in before.
	FoundNewCountry FindingKind = "new-country"
	// FoundNewAddress is an address from which the account did not sign in before,
	// in a country that is not new.
	FoundNewAddress FindingKind = "new-address"
	// FoundRepeated is an account that rejected prompts before.
	FoundRepeated FindingKind = "repeated"
	// FoundUnusual is what UEBA set insights for.
	FoundUnusual FindingKind = "unusual"
	// FoundSuccessElsewhere is a success from another network within
	// [AftermathLasts].
	FoundSuccessElsewhere FindingKind = "success-elsewhere"
	// FoundKnownDevice is an address and a device that the account signed in with
	// before.
	FoundKnownDevice FindingKind = "known-device"
)

// findingKinds has every kind, the weightiest first.
var findingKinds = []FindingKind{
	FoundSuccessSameSignIn, FoundSuccessSameIP, FoundMethodChanged, FoundSuccessSameNetwork, FoundBombing, FoundPrivilegedRole, FoundHighBlastRadius,
	FoundRiskyUser, FoundSharedAddress, FoundDisabledAccount, FoundNewCountry, FoundNewAddress, FoundRepeated, FoundUnusual,
	FoundSuccessElsewhere, FoundKnownDevice,
}

// FindingKinds returns every kind of finding, the weightiest first.
func FindingKinds() []FindingKind { return slices.Clone(findingKinds) }

// AftermathLasts is how long the aftermath of a prompt that was not approved
// lasts: a success or a changed method within it counts, and an alert is followed
// up that long.
const AftermathLasts = 24 * time.Hour
