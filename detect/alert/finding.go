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
	// Brief says the same where it is known whom it is about: it names neither the
	// account nor the address of its prompts. It is empty in alerts of versions
	// before.
	Brief string `json:"brief,omitempty"`
	// Reason is a few words of it, as the step says that it led to: signed in from the
	// same address 3 min after rejecting.
	Reason string `json:"reason,omitempty"`
	// Time is when it happened, and Address from where. They are zero of what has no
	// time and no address, such as a role.
	Time    time.Time `json:"time,omitzero"`
	Address string    `json:"address,omitempty"`
	// Weak says that there was nothing to judge it by: it changes no severity.
	Weak bool `json:"weak,omitempty"`
}

// FindingKind names what was found, as settings and the README do. That of a
// success has success in it: see [FindingKind.Compromises].
type FindingKind string

// The kinds of findings. A prompt is one for the second factor, and one that was
// not approved was rejected, failed or left unanswered.
const (
	// FoundSuccessSameSignIn is a sign-in that succeeded at a step after one that the
	// user rejected.
	FoundSuccessSameSignIn FindingKind = "success-same-sign-in"
	// FoundSuccessSameIP is a success from the same address, or the same IPv6 network,
	// from an hour before a prompt that was not approved until the aftermath is over.
	// It is one if a second factor was approved, however the sign-in ended.
	FoundSuccessSameIP FindingKind = "success-same-ip"
	// FoundOtherSuccess is a success of another account from that address, at which
	// neither of them is at home.
	FoundOtherSuccess FindingKind = "other-account-success"
	// FoundMethodChanged is a change of the account's methods for the second factor
	// within [AftermathLasts] after a prompt that was not approved.
	FoundMethodChanged FindingKind = "mfa-method-changed"
	// FoundInboxRule is a new or changed inbox rule, or forwarding, of the account's
	// mailbox in the same time.
	FoundInboxRule FindingKind = "inbox-rule"
	// FoundAppConsent is a consent that the account gave to an application, or a
	// permission or role that it gave to one, in the same time.
	FoundAppConsent FindingKind = "app-consent"
	// FoundSuccessSameNetwork is a success from another address of the same AS, but
	// not on the account's own device and network.
	FoundSuccessSameNetwork FindingKind = "success-same-network"
	// FoundSuccessElsewhere is a success from another network, from an address, a
	// network or a device that the account was never seen with.
	FoundSuccessElsewhere FindingKind = "success-elsewhere"
	// FoundSuccessNonInteractive is a success that a client had with its token: from
	// the same address, where the one that is logged may be an earlier one, in the
	// same network, on a device never seen, or within the session of a prompt.
	FoundSuccessNonInteractive FindingKind = "success-non-interactive"
	// FoundBombing is many prompts within an hour.
	FoundBombing FindingKind = "bombing"
	// FoundPrivilegedRole is an account with an administrator's role.
	FoundPrivilegedRole FindingKind = "privileged-role"
	// FoundHighBlastRadius is an account with a high blast radius.
	FoundHighBlastRadius FindingKind = "high-blast-radius"
	// FoundRiskDetection is a risk that Entra ID detected around the prompts. It
	// changes the severity if it is high.
	FoundRiskDetection FindingKind = "risk-detection"
	// FoundRiskyUser is an account that Entra ID holds to be at risk.
	FoundRiskyUser FindingKind = "risky-user"
	// FoundSharedAddress is an address from which other accounts failed or rejected
	// too since the window began.
	FoundSharedAddress FindingKind = "shared-address"
	// FoundDisabledAccount is an account that is disabled by now.
	FoundDisabledAccount FindingKind = "disabled-account"
	// FoundPasswordReset is a password that somebody else reset afterwards.
	FoundPasswordReset FindingKind = "password-reset"
	// FoundNewCountry is a country that is not known of the account.
	FoundNewCountry FindingKind = "new-country"
	// FoundNewAddress is an address from which the account did not sign in before,
	// in a country that is not new.
	FoundNewAddress FindingKind = "new-address"
	// FoundRepeated is an account that rejected prompts before. It changes the
	// severity from a number of rejections within a day on.
	FoundRepeated FindingKind = "repeated"
	// FoundUnusual is what UEBA set insights for.
	FoundUnusual FindingKind = "unusual"
	// FoundKnownDevice is an address and a device that the account signed in with
	// before.
	FoundKnownDevice FindingKind = "known-device"
)

// findingKinds has every kind, the weightiest first.
var findingKinds = []FindingKind{
	FoundSuccessSameSignIn, FoundSuccessSameIP, FoundOtherSuccess, FoundMethodChanged, FoundInboxRule, FoundAppConsent, FoundSuccessSameNetwork, FoundSuccessElsewhere, FoundSuccessNonInteractive,
	FoundBombing, FoundPrivilegedRole, FoundHighBlastRadius, FoundRiskDetection, FoundRiskyUser, FoundSharedAddress, FoundDisabledAccount, FoundPasswordReset, FoundNewCountry, FoundNewAddress,
	FoundRepeated, FoundUnusual, FoundKnownDevice,
}

// FindingKinds returns every kind of finding, the weightiest first.
func FindingKinds() []FindingKind { return slices.Clone(findingKinds) }

// KindsWith returns every kind of finding and those that a rule brings, the weightiest
// first: those that raise the severity stand behind what says that somebody may have
// got in, and the others behind all.
func KindsWith(raising, others []FindingKind) []FindingKind {
	return slices.Concat(slices.Insert(FindingKinds(), slices.Index(findingKinds, FoundBombing), raising...), others)
}

// IsSuccess reports whether a finding of this kind is that somebody signed in, or
// approved a prompt, who may not be the user.
func (k FindingKind) IsSuccess() bool { return k.IsOwnSuccess() || k == FoundOtherSuccess }

// IsOwnSuccess reports the same of the account that the alert is about.
func (k FindingKind) IsOwnSuccess() bool {
	switch k {
	case FoundSuccessSameSignIn, FoundSuccessSameIP, FoundSuccessSameNetwork, FoundSuccessElsewhere, FoundSuccessNonInteractive:
		return true
	}
	return false
}

// IsFollowed reports whether a finding of this kind that comes after an alert is
// news of it.
func (k FindingKind) IsFollowed() bool {
	return k.IsSuccess() || k == FoundMethodChanged || k == FoundInboxRule || k == FoundAppConsent || k == FoundBombing
}

// AftermathLasts is how long the aftermath of a prompt that was not approved
// lasts, from the last of them on: a success or a changed method within it counts.
const AftermathLasts = 24 * time.Hour
