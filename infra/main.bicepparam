using 'main.bicep'

// The workspace whose logs are queried: its resource id is on its Properties page.
param workspaceResourceId = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME'

// Secrets come from the environment and are in no file.
param teamsWebhookUrl = readEnvironmentVariable('TEAMS_WEBHOOK_URL', '')
param teamsAuth = readEnvironmentVariable('TEAMS_AUTH', 'signature')
param webhookUrl = readEnvironmentVariable('WEBHOOK_URL', '')
param webhookSecret = readEnvironmentVariable('WEBHOOK_SECRET', '')

// Alerts and incidents in the Defender portal and the Azure portal.
param sentinelIncidents = false
param privateNetwork = false

// Who is sent an e-mail when the app fails or stops: without anybody nobody is notified.
param operatorEmails = []
