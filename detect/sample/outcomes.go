package sample

// outcome is how a sign-in ended: the error code and the two texts of the
// Status column.
type outcome struct {
	code    int
	reason  string
	details string
	// refusedFirst says that the user refused the first prompt of the sign-in.
	refusedFirst bool
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
	gaveIn      = outcome{details: approved.details, refusedFirst: true}
	stayedIn    = outcome{code: 50140, reason: keepMe.reason, refusedFirst: true}
	keepMe      = outcome{code: 50140, reason: "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in."}
	needsStrong = outcome{code: 50074, reason: "Strong Authentication is required.", details: "MFA required in Azure AD"}
	needsMFA    = outcome{code: 50076, reason: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.", details: "MFA required in Azure AD"}
	badPassword = outcome{code: 50126, reason: "Error validating credentials due to invalid username or password.", details: "The user didn't enter the right credentials. It's expected to see some number of these errors in your logs due to users making mistakes."}
	lockedOut   = outcome{code: 50053, reason: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."}
	refused     = outcome{code: 53003, reason: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."}
	revoked     = outcome{code: 50173, reason: "The provided grant has expired due to it being revoked, a fresh auth token is needed."}
	stale       = outcome{code: 70044, reason: "The session has expired or is invalid due to sign-in frequency checks by conditional access."}
	idle        = outcome{code: 700082, reason: "The refresh token has expired due to inactivity."}

	timedOut    = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; user did not respond to mobile app notification"}
	duplicate   = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; duplicate authentication attempt"}
	wrongNumber = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; user did not select the correct number"}
	wrongCode   = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; invalid verification code"}
	inProgress  = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; authentication in progress"}
	hungUp      = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; user hung up the phone call without succeeding the verification"}
	unreachable = outcome{code: 500121, reason: strongAuthFailed, details: "MFA denied; phone unreachable"}
	noConsent   = outcome{code: 65004, reason: "User declined to consent to access the app."}
	unexplained = outcome{code: 500121, reason: strongAuthFailed}

	declined          = outcome{code: 500121, reason: strongAuthFailed, details: declinedText}
	declinedOtherCase = outcome{code: 500121, reason: strongAuthFailed, details: "mfa denied; User Declined the Authentication"}
	fraud             = outcome{code: 500121, reason: strongAuthFailed, details: fraudText}
)

// rejects reports whether the user pushed the prompt back.
func (o outcome) rejects() bool {
	return o.refusedFirst || o == declined || o == declinedOtherCase || o == fraud
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
