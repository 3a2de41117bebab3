using 'main.bicep'

// What is not secret is set here, or in the environment, as azd does: azd env set NAME VALUE.

// The workspace whose logs are queried: its resource id is on its Properties page.
param workspaceResourceId = readEnvironmentVariable(
  'WORKSPACE_RESOURCE_ID',
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME'
)

// Secrets come from the environment and are in no file.
param teamsWebhookUrl = readEnvironmentVariable('TEAMS_WEBHOOK_URL', '')
param teamsAuth = readEnvironmentVariable('TEAMS_AUTH', 'signature')
param webhookUrl = readEnvironmentVariable('WEBHOOK_URL', '')
param webhookSecret = readEnvironmentVariable('WEBHOOK_SECRET', '')

// Alerts and incidents in the Defender portal and the Azure portal.
param sentinelIncidents = false
param privateNetwork = false

// Who is sent an e-mail when the app fails or stops, with commas between them: without anybody nobody is notified.
param operatorEmails = empty(readEnvironmentVariable('OPERATOR_EMAILS', '')) ? [] : split(readEnvironmentVariable('OPERATOR_EMAILS', ''), ',')

// Rules of your own, which azd packages from the folder RULES_DIR.
param rulesFolder = empty(readEnvironmentVariable('RULES_DIR', '')) ? '' : 'rules'
