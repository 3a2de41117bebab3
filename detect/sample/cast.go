package sample

import "strings"

// castMember is a person that a story is about. Everybody else in the tenant
// is made from the offices' names, and so are the people of the stories unless
// the seed is 0.
type castMember struct {
	story         Story
	office        string // its city
	given, family string // as "native/ascii"
	title         string
	department    string
}

// cast are the people of the stories, each in one story only, so that what
// is reported of a user is due to that story. Guests and other accounts in
// stories are in the tenant's own lists.
var cast = []castMember{
	{PlainRejection, "Zurich", "Zoë/zoe", "Brückner/brueckner", "Payroll Specialist", "Finance"},
	{PlainRejection, "Thessaloniki", "Δημήτρης/dimitris", "Παπαδάκης/papadakis", "Plant Engineer", "Operations"},
	{PlainRejection, "Montreal", "Étienne/etienne", "Bélanger/belanger", "Account Executive", "Sales"},
	{OtherCaseRejection, "Montreal", "Olivier/olivier", "Lefèvre/lefevre", "Legal Counsel", "Legal"},
	{IPv6Rejection, "Zurich", "Noémie/noemie", "Favre/favre", "Product Designer", "Product"},
	{ScriptRejection, "Taipei", "怡君/yijun", "陳/chen", "Supply Planner", "Operations"},
	{AdminRejection, "Sofia", "Георги/georgi", "Димитров/dimitrov", "Identity Administrator", "IT"},
	{KnownPlaceRejection, "Montreal", "Marie/marie", "Tremblay/tremblay", "Support Lead", "Customer Service"},
	{FraudReport, "Amman", "أحمد/ahmad", "الزعبي/alzoubi", "Regional Manager", "Sales"},
	{PushBombingRejected, "Tel Aviv", "יעל/yael", "כהן/cohen", "Research Lead", "Research"},
	{PushBombingAccepted, "Osaka", "陽子/yoko", "田中/tanaka", "Treasury Manager", "Finance"},
	{NonInteractiveRejection, "Busan", "민준/minjun", "김/kim", "Software Engineer", "Engineering"},
	{SharedCorrelation, "Zurich", "Łukasz/lukasz", "Żak/zak", "Data Analyst", "Finance"},
	{BothTables, "Tel Aviv", "נועם/noam", "לוי/levi", "Software Engineer", "Engineering"},
	{RejectedTwice, "Pune", "प्रिया/priya", "देशमुख/deshmukh", "Release Manager", "Engineering"},
	{LateRejection, "Sofia", "Елена/elena", "Петрова/petrova", "Recruiter", "Human Resources"},
	{LateRejection, "Amman", "ليلى/layla", "حداد/haddad", "Buyer", "Procurement"},
	{HourBoundary, "Thessaloniki", "Ελένη/eleni", "Νικολάου/nikolaou", "Controller", "Finance"},
	{QuarterBoundary, "Montreal", "Gaëlle/gaelle", "Côté/cote", "Marketing Manager", "Marketing"},
	{WindowStart, "Montreal", "Liam/liam", "O'Connor/oconnor", "Solution Architect", "Engineering"},
	{Hostile, "Zurich", "Robert/robert", "Tables/tables", "Contractor", "IT"},
	{Timeout, "Zurich", "Reto/reto", "Rüegg/rueegg", "Facility Manager", "Operations"},
	{DuplicateAttempt, "Sofia", "Йоана/yoana", "Стоянова/stoyanova", "Accountant", "Finance"},
	{WrongNumber, "Thessaloniki", "Κώστας/kostas", "Βλάχος/vlachos", "Technician", "Operations"},
	{WrongCode, "Amman", "خالد/khaled", "عودة/odeh", "Sales Representative", "Sales"},
	{RejectedThenElsewhere, "Amman", "رنا/rana", "شاهين/shahin", "Buyer", "Procurement"},
	{OtherAccount, "Montreal", "Sarah/sarah", "Gagné/gagne", "Content Editor", "Marketing"},
	{OtherAccount, "Zurich", "Ursina/ursina", "Hänni/haenni", "HR Partner", "Human Resources"},
	{MistakenRejection, "Pune", "अनिता/anita", "कुलकर्णी/kulkarni", "Test Engineer", "Engineering"},
	{RefusedThenSignedIn, "Sofia", "Стефан/stefan", "Янков/yankov", "HR Partner", "Human Resources"},
	{FatigueApproved, "Taipei", "冠宇/guanyu", "林/lin", "Account Executive", "Sales"},
	{FatigueUnanswered, "Busan", "서연/seoyeon", "이/lee", "Researcher", "Research"},
}

// What the hostile user, and the attacker against that user, put where they
// could: control characters, terminal escapes, a Markdown link and image, a
// mention, quotes, a backslash, line breaks, a change of direction, KQL.
const (
	hostileDisplay = "Robert \"'; drop | take 0\\ \x1b[31mTables\x1b[0m\r\n[Reset your password](https://login.attacker.example/) \u202egnp.exe <at>everyone</at> ![x](https://attacker.example/x.png)"
	hostileDevice  = "LT-`rm -rf`\x00\x07\x1b]0;owned\x07 **bold** | table | {{UserPrincipalName}}"
	hostileAgent   = "Mozilla/5.0 (compatible; \x1b[2J\x1b[1;1H\"quoted\" \\escaped\\ \u2028 <script>alert(1)</script>)\n\tX-Injected: yes"
	hostileApp     = "Expenses [approve](javascript:alert(1)) \u2066\u202e' or 1==1 //"
)

// scripts are the offices whose people's names are Chinese characters.
var scripts = []string{"Taipei", "Osaka"}

// recast gives a role to somebody else: of another office, with another name and,
// where the story does not need it, another job.
func (c castMember) recast(r random) castMember {
	o := &offices[r.IntN(len(offices))]
	if c.story == ScriptRejection {
		o = officeIn(pick(r, scripts))
	}
	c.office = o.city
	c.given, c.family = pick(r, strings.Fields(o.given)), pick(r, strings.Fields(o.family))
	if c.story != AdminRejection && c.story != PushBombingAccepted {
		d := pick(r, departments)
		c.department, c.title = d.name, pick(r, d.titles)
	}
	return c
}

// department is a department with its titles and the groups of its people.
type department struct {
	name   string
	titles []string
	group  string
}

var departments = []department{
	{"Finance", []string{"Accountant", "Controller", "Payroll Specialist"}, "Finance Team"},
	{"Engineering", []string{"Software Engineer", "Test Engineer", "Engineering Manager", "Solution Architect"}, "Engineering"},
	{"Operations", []string{"Plant Engineer", "Technician", "Supply Planner"}, "Operations"},
	{"Sales", []string{"Account Executive", "Sales Representative"}, "Sales Worldwide"},
	{"Human Resources", []string{"Recruiter", "HR Partner"}, "HR Confidential"},
	{"IT", []string{"System Engineer", "Service Desk Analyst"}, "IT Operations"},
	{"Marketing", []string{"Marketing Manager", "Content Editor"}, "Marketing"},
	{"Customer Service", []string{"Support Agent", "Support Lead"}, "Customer Service"},
	{"Legal", []string{"Legal Counsel"}, "Legal"},
	{"Procurement", []string{"Buyer"}, "Procurement"},
	{"Research", []string{"Researcher", "Research Lead"}, "Research Lab"},
	{"Product", []string{"Product Designer", "Product Owner"}, "Product"},
}
