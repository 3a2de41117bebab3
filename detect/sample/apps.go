package sample

// app is an application and the resource it asks a token for.
type app struct {
	name, id             string
	resource, resourceID string
	client               string // ClientAppUsed
}

const (
	browserClient = "Browser"
	richClient    = "Mobile Apps and Desktop clients"
)

const (
	exchangeID   = "00000002-0000-0ff1-ce00-000000000000"
	sharePointID = "00000003-0000-0ff1-ce00-000000000000"
	graphID      = "00000003-0000-0000-c000-000000000000"
	directoryID  = "00000002-0000-0000-c000-000000000000"
	managementID = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	teamsService = "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe"
)

// The applications that stories name.
var (
	officeHome     = app{"OfficeHome", "4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome", "4765445b-32c6-49b0-83e6-1d93765276ca", browserClient}
	outlookWeb     = app{"One Outlook Web", "9199bf20-a13f-4107-85dc-02114787ef48", "Office 365 Exchange Online", exchangeID, browserClient}
	teamsWeb       = app{"Microsoft Teams Web Client", "5e3ce6c0-2b1f-4285-8d4b-75ee78787346", "Microsoft Teams Services", teamsService, browserClient}
	sharePoint     = app{"Office 365 SharePoint Online", sharePointID, "Office 365 SharePoint Online", sharePointID, browserClient}
	azurePortal    = app{"Azure Portal", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Windows Azure Service Management API", managementID, browserClient}
	outlookMobile  = app{"Outlook Mobile", "27922004-5251-4030-b22d-91ecd9a37ea4", "Office 365 Exchange Online", exchangeID, richClient}
	microsoftTeams = app{"Microsoft Teams", "1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams Services", teamsService, richClient}
	officeDesktop  = app{"Microsoft Office", "d3590ed6-52b3-4102-aeff-aad2292ab01c", "Office 365 Exchange Online", exchangeID, richClient}
	oneDrive       = app{"OneDrive SyncEngine", "ab9b8c07-8f02-4f72-87fa-80105867a763", "Office 365 SharePoint Online", sharePointID, richClient}
	windowsSignIn  = app{"Windows Sign In", "38aa3b87-a06d-4817-b275-7a316988d93b", "Windows Azure Active Directory", directoryID, richClient}
	authBroker     = app{"Microsoft Authentication Broker", "29d9ed98-a469-4536-ade2-f981bc1d605e", "Microsoft Graph", graphID, richClient}
	powerShell     = app{"Azure Active Directory PowerShell", "1b730954-1685-4b74-9bfd-dac224a7b894", "Windows Azure Active Directory", directoryID, richClient}
	vpn            = app{"Fabrikam VPN", "6f2c1a7e-5d0b-4e8a-9b43-0c7d2e51f8aa", "Fabrikam VPN", "6f2c1a7e-5d0b-4e8a-9b43-0c7d2e51f8aa", browserClient}
	expenses       = app{"Fabrikam Expenses", "b3a9d0c4-71e2-4f6b-8a15-92c0de3478bb", "Fabrikam Expenses", "b3a9d0c4-71e2-4f6b-8a15-92c0de3478bb", browserClient}
	mySignIns      = app{"My Signins", "19db86c3-b2b9-44cc-b339-36da233a3be2", "Microsoft Graph", graphID, browserClient}
	imap           = app{"Office 365 Exchange Online", exchangeID, "Office 365 Exchange Online", exchangeID, "IMAP4"}
	syncService    = app{"Microsoft Azure Active Directory Connect", "cb1056e2-e479-49de-ae31-7812af012ed8", "Windows Azure Active Directory", directoryID, richClient}
)

// What people sign in to, and what their clients refresh tokens for, each as
// often as it is listed.
var (
	interactiveApps = []app{officeHome, officeHome, outlookWeb, outlookWeb, teamsWeb, sharePoint, sharePoint, vpn, expenses, windowsSignIn, windowsSignIn}
	refreshingApps  = []app{microsoftTeams, microsoftTeams, microsoftTeams, outlookMobile, outlookMobile, officeDesktop, officeDesktop, oneDrive, authBroker}
)
