package sample

// outcome is how a sign-in ended: the error code and the two texts of the
// Status column.
type outcome struct {
	code    int
	reason  string
	details string
}

const strongAuthFailed = "Authentication failed during strong authentication request."

// The texts of additional details, which say what error 500121 stands for.
const (
	declinedText = "MFA denied; user declined the authentication"
	fraudText    = "MFA denied; Phone App Reported Fraud"
)

var (
	succeeded   = outcome{}
	claimed     = outcome{details: "MFA requirement satisfied by claim in the token"}
	approved    = outcome{details: "MFA completed in Azure AD"}
	keepMe      = outcome{50140, "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.", ""}
	needsStrong = outcome{50074, "Strong Authentication is required.", "MFA required in Azure AD"}
	needsMFA    = outcome{50076, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.", "MFA required in Azure AD"}
	badPassword = outcome{50126, "Error validating credentials due to invalid username or password.", "The user didn't enter the right credentials. It's expected to see some number of these errors in your logs due to users making mistakes."}
	lockedOut   = outcome{50053, "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.", ""}
	refused     = outcome{53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.", ""}
	revoked     = outcome{50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed.", ""}
	stale       = outcome{70044, "The session has expired or is invalid due to sign-in frequency checks by conditional access.", ""}
	idle        = outcome{700082, "The refresh token has expired due to inactivity.", ""}

	timedOut    = outcome{500121, strongAuthFailed, "MFA denied; user did not respond to mobile app notification"}
	duplicate   = outcome{500121, strongAuthFailed, "MFA denied; duplicate authentication attempt"}
	wrongNumber = outcome{500121, strongAuthFailed, "MFA denied; user did not select the correct number"}
	wrongCode   = outcome{500121, strongAuthFailed, "MFA denied; invalid verification code"}
	unexplained = outcome{500121, strongAuthFailed, ""}

	declined          = outcome{500121, strongAuthFailed, declinedText}
	declinedOtherCase = outcome{500121, strongAuthFailed, "mfa denied; User Declined the Authentication"}
	fraud             = outcome{500121, strongAuthFailed, fraudText}
)

// rejects reports whether the user pushed the prompt back.
func (o outcome) rejects() bool {
	return o == declined || o == declinedOtherCase || o == fraud
}

// conditionalAccess is the ConditionalAccessStatus that goes with the
// outcome of a sign-in that strong authentication was required for, or not.
func (o outcome) conditionalAccess(strong bool) string {
	switch o.code {
	case 0, 50140:
		if strong {
			return "success"
		}
		return "notApplied"
	case 50074, 50076, 500121, 53003, 70044:
		return "failure"
	}
	return "notApplied"
}

// passwordRefused reports whether the sign-in ended at the first factor.
func (o outcome) passwordRefused() bool { return o == badPassword || o == lockedOut }

// factor is a second factor, by its names in the logs.
type factor struct {
	method string // authenticationMethod, and authMethod of MfaDetail
	used   string // as AuthenticationMethodsUsed has it
}

var (
	pushFactor = factor{"Mobile app notification", "Microsoft Authenticator"}
	textFactor = factor{"Text message", "SMS"}
	codeFactor = factor{"OATH verification code", "Software OATH token"}
	keyFactor  = factor{"FIDO2 security key", "FIDO2 security key"}
)
