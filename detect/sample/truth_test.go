package sample

// stories lists every story with whether it holds rejections, and the reason.
var stories = []struct {
	story  Story
	fires  bool
	reason string
}{
	{Ordinary, false, "the sign-in succeeded"},
	{OrdinaryMFA, false, "the user approved the prompt"},
	{TokenRefresh, false, "no prompt was shown"},
	{Interrupt, false, "the sign-in was interrupted, not rejected"},
	{WrongPassword, false, "the password was wrong, so no prompt was sent"},
	{Blocked, false, "Conditional Access refused the sign-in"},
	{Guest, false, "a guest's ordinary sign-in"},
	{ServiceAccount, false, "error 500121 without additional details, or no prompt at all"},
	{BreakGlass, false, "the emergency account signed in with its key"},
	{Directory, false, "not a sign-in"},
	{Timeout, false, "nobody answered the prompt, and not answering is not declining"},
	{DuplicateAttempt, false, "a second prompt while one was open"},
	{WrongNumber, false, "the user picked the wrong number"},
	{WrongCode, false, "the user typed the wrong code"},
	{PasswordSpray, false, "the passwords were wrong, so no prompt was sent"},
	{PlainRejection, true, "the user declined"},
	{OtherCaseRejection, true, "the user declined; letter case does not matter"},
	{IPv6Rejection, true, "the user declined; the address is IPv6"},
	{ScriptRejection, true, "the user declined"},
	{GuestRejection, true, "a guest declined"},
	{AdminRejection, true, "an administrator declined"},
	{KnownPlaceRejection, true, "the user declined, though from a known place"},
	{MistakenRejection, true, "the user declined by mistake"},
	{RefusedThenSignedIn, true, "the user declined, then approved in the same sign-in"},
	{FatigueApproved, false, "nobody answered the prompts until one was approved"},
	{FatigueUnanswered, false, "nobody answered the prompts"},
	{RejectedThenElsewhere, true, "the user declined, and hours later approved"},
	{OtherAccount, true, "one user declined, and another approved"},
	{FraudReport, true, "the user reported fraud"},
	{PushBombingRejected, true, "the user declined the last prompts of many"},
	{PushBombingAccepted, true, "the user declined four prompts before approving one"},
	{NonInteractiveRejection, true, "the user declined; the row is in the non-interactive table"},
	{SharedCorrelation, true, "the user declined once, in three rows"},
	{BothTables, true, "the user declined once, in two tables"},
	{RejectedTwice, true, "the user declined, and hours later declined again"},
	{LateRejection, true, "the user declined; the row arrived late"},
	{HourBoundary, true, "the user declined in two windows"},
	{QuarterBoundary, true, "the user declined four times in one window"},
	{WindowStart, true, "the user declined at the window's first instant"},
	{Hostile, true, "the user declined, whatever the names say"},
}

// fires reports whether the story holds rejections, so that the rule must
// report it.
func (s Story) fires() bool {
	for _, k := range stories {
		if k.story == s {
			return k.fires
		}
	}
	return false
}

// because says in a few words why the story fires or does not, and is empty
// for a story that is none of them.
func (s Story) because() string {
	for _, k := range stories {
		if k.story == s {
			return k.reason
		}
	}
	return ""
}
