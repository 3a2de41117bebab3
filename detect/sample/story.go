package sample

// Story is why a record is in the day. Its text is stable.
type Story string

// What an uneventful day holds. None of it is a rejection.
const (
	Ordinary       Story = "ordinary"        // a sign-in that works, its MFA requirement met by an earlier claim
	OrdinaryMFA    Story = "ordinary-mfa"    // a sign-in whose prompt the user approves
	TokenRefresh   Story = "token-refresh"   // a client renewing its tokens
	Interrupt      Story = "interrupt"       // a sign-in stopped to ask for more: keep me signed in, strong authentication
	WrongPassword  Story = "wrong-password"  // a typing error
	Blocked        Story = "blocked"         // a sign-in that Conditional Access refuses
	Guest          Story = "guest"           // a guest at work
	ServiceAccount Story = "service-account" // accounts that are not people, some of them failing all day
	BreakGlass     Story = "break-glass"     // the emergency account's test
	Directory      Story = "directory"       // what IdentityInfo knows of the users
)

// Failures of strong authentication, and of passwords, that are no rejection.
const (
	Timeout          Story = "timeout"           // error 500121: nobody answered the prompt
	DuplicateAttempt Story = "duplicate-attempt" // error 500121: a second prompt while one was open
	WrongNumber      Story = "wrong-number"      // error 500121: the wrong number picked
	WrongCode        Story = "wrong-code"        // error 500121: the wrong code typed
	PasswordSpray    Story = "password-spray"    // wrong passwords for many users from an address that also bombs one
)

// Rejections. Each story has one user of its own, unless it says otherwise.
const (
	PlainRejection          Story = "rejection"                 // a declined prompt; three users over the day
	OtherCaseRejection      Story = "rejection-other-case"      // the declined text in other letter case
	IPv6Rejection           Story = "rejection-ipv6"            // from an IPv6 address, by a user IdentityInfo does not know
	ScriptRejection         Story = "rejection-script"          // by a user whose display name is in Chinese
	GuestRejection          Story = "rejection-guest"           // by a guest
	AdminRejection          Story = "rejection-admin"           // by a global administrator with a high blast radius
	KnownPlaceRejection     Story = "rejection-known-place"     // from the user's own home and laptop, nothing after it
	MistakenRejection       Story = "rejection-mistaken"        // from the user's own home and laptop, and approved there a minute later
	RefusedThenSignedIn     Story = "refused-then-signed-in"    // the user declines the first prompt of a sign-in and approves its second
	RejectedThenElsewhere   Story = "rejection-then-elsewhere"  // hours later the attacker is approved from a place never seen before
	OtherAccount            Story = "rejection-other-account"   // from the same address somebody else's account is signed in to; two users
	FraudReport             Story = "fraud-report"              // reported as fraud in the app
	PushBombingRejected     Story = "push-bombing-rejected"     // prompts at night until the user declines twice, never a success
	PushBombingAccepted     Story = "push-bombing-accepted"     // prompts at night, declined four times, then approved and used
	NonInteractiveRejection Story = "rejection-non-interactive" // in AADNonInteractiveUserSignInLogs only, and then a session is renewed from the same address
	SharedCorrelation       Story = "shared-correlation"        // one authentication that left three rows in SigninLogs
	BothTables              Story = "both-tables"               // one authentication with a row in each table, the name in different case
	RejectedTwice           Story = "rejected-twice"            // the same user and address in the morning and in the afternoon
	LateRejection           Story = "late-rejection"            // received long after it happened; two users
	HourBoundary            Story = "hour-boundary"             // one rejection before the full hour and one after it
	QuarterBoundary         Story = "quarter-boundary"          // four rejections around a quarter past, all in one hour
	WindowStart             Story = "window-start"              // at the very start of an hour
	Hostile                 Story = "hostile"                   // names full of control characters, escapes, Markdown and quotes
)

// Attacks by MFA fatigue, in which nobody declines anything.
const (
	FatigueApproved   Story = "fatigue-approved"   // prompts at night that go unanswered, until the user approves one; then the session is used
	FatigueUnanswered Story = "fatigue-unanswered" // prompts at night that all go unanswered
)
