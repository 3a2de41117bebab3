// Pushback in a resource group: the function app, the storage of its ledger, its identity with the least that it needs,
// telemetry, and alert rules that say when it stops.
//
//   az deployment group create --resource-group GROUP --parameters infra/main.bicepparam
targetScope = 'resourceGroup'

@description('Short name that all resources are named after: small letters and digits, a letter first.')
@minLength(3)
@maxLength(12)
param name string = 'pushback'

@description('Region of all resources. It must have Flex Consumption: az functionapp list-flexconsumption-locations.')
param location string = resourceGroup().location

@description('Resource id of the Log Analytics workspace whose logs the rules query. It may be in another resource group or subscription of the tenant.')
@minLength(100)
param workspaceResourceId string

@description('When the rules run, as an NCRONTAB expression of six fields in UTC: at least every 30 minutes, or the alert about an hour without a successful tick fires, since telemetry arrives some minutes late. Every 10 minutes or more often for the alert about failures.')
@minLength(11)
param schedule string = '0 */5 * * * *'

@description('Address of the Teams workflow webhook that alerts are posted to, or nothing. It is kept in the key vault alone.')
@secure()
param teamsWebhookUrl string = ''

@description('Address of a webhook of yours that every alert is posted to, or nothing. It is kept in the key vault alone.')
@secure()
param webhookUrl string = ''

@description('What the messages to the webhook are signed with, whsec_ and 24 to 64 bytes in base64, or two with a space between them. It is needed with webhookUrl, and kept in the key vault alone.')
@secure()
param webhookSecret string = ''

@description('Whether alerts become alerts and incidents of Microsoft Sentinel in the workspace, which the Defender portal and the Azure portal show: the app writes them into a table, and analytics rules read it.')
param sentinelIncidents bool = false

@description('Who says which alerts are one incident: only, Pushback by the grouping of each rule; defender, Microsoft Defender, which may merge incidents; tenant, what the tenant is set to.')
@allowed([
  'only'
  'defender'
  'tenant'
])
param sentinelGrouping string = 'only'

@description('Whether alerts become incidents through Sentinel\'s API as well. The Defender portal does not show those, and nobody sees them once the Azure portal\'s Sentinel ends on 31 March 2027.')
param sentinelApiIncidents bool = false

@description('Where analysts work, and where links lead: defender if the workspace is in the Defender portal, azure if it is not.')
@allowed([
  'defender'
  'azure'
])
param portal string = 'defender'

@description('Folder of rules in the package that run, or names of shipped rules, with commas between them. Without it all that ship run.')
param rulesFolder string = ''

@description('Further settings of the app by name, such as { PUSHBACK_MIN_SEVERITY: \'medium\' }. handler/README.md lists them. Give a secret, such as PUSHBACK_TEAMS_ROUTES, as a reference to a key vault.')
param extraSettings object = {}

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Redundancy of the storage account: Standard_ZRS where the region has zones, else Standard_LRS.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
param storageRedundancy string = 'Standard_ZRS'

@description('Resource id of the Application Insights to use, or nothing for a new one on the workspace.')
param applicationInsightsResourceId string = ''

@description('Whether the app reaches storage and key vault through private endpoints in a virtual network of its own, and they refuse all other networks.')
param privateNetwork bool = false

@description('Resource ids of the action groups that are notified when the app fails or stops. Without one the alerts are seen in the portal only.')
param actionGroupIds array = []

@description('How many apps share the rules, each with an identity and so with limits of the workspace of its own. One is enough until ticks are cut short.')
@minValue(1)
@maxValue(16)
param apps int = 1

@description('Tags of all resources.')
param tags object = {}

var suffix = uniqueString(resourceGroup().id, name)
var workspaceParts = split(workspaceResourceId, '/')
var insightsParts = split(applicationInsightsResourceId, '/')
var ownInsights = empty(applicationInsightsResourceId)
var insightsSubscription = ownInsights ? subscription().subscriptionId : insightsParts[2]
var insightsGroup = ownInsights ? resourceGroup().name : insightsParts[4]
var ledgerTable = 'pushback'
var deploymentContainer = 'deployment'

// The workspace is somebody else's: only its id and a role on it are ours.
// https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces
resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceParts[8]
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
}

// https://learn.microsoft.com/azure/templates/microsoft.managedidentity/userassignedidentities
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-${suffix}'
  location: location
  tags: tags
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: '${name}-network'
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: '${name}-storage'
  params: {
    name: take('${toLower(name)}${suffix}', 24)
    location: location
    tags: tags
    deploymentContainer: deploymentContainer
    ledgerTable: ledgerTable
    redundancy: storageRedundancy
    principalId: identity.properties.principalId
    privateNetwork: privateNetwork
  }
}

module vault 'modules/vault.bicep' = {
  name: '${name}-vault'
  params: {
    name: take('${name}-${suffix}', 24)
    location: location
    tags: tags
    teamsWebhookUrl: teamsWebhookUrl
    webhookUrl: webhookUrl
    webhookSecret: webhookSecret
    principalId: identity.properties.principalId
    privateNetwork: privateNetwork
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork) {
  name: '${name}-endpoints'
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
    networkId: privateNetwork ? network!.outputs.networkId : ''
    subnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    monitorScopeId: privateNetwork && sentinelIncidents ? monitorScope!.outputs.id : ''
  }
}

module monitorScope 'modules/monitor-scope.bicep' = if (privateNetwork && sentinelIncidents) {
  name: '${name}-monitor-scope'
  params: {
    name: '${name}-${suffix}'
    tags: tags
    endpointId: sentinelIncidents ? sentinelAlerts!.outputs.endpointId : ''
  }
}

// The table, the data collection rule and the analytics rules are the workspace's, wherever that is.
module sentinelAlerts 'modules/sentinel-alerts.bicep' = if (sentinelIncidents) {
  name: '${name}-sentinel-alerts'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    name: '${name}-${suffix}'
    workspaceName: workspaceParts[8]
    location: workspace.location
    tags: tags
    principalId: identity.properties.principalId
    privateNetwork: privateNetwork
    grouping: sentinelGrouping
  }
}

module insights 'modules/insights.bicep' = {
  name: '${name}-insights'
  scope: resourceGroup(insightsSubscription, insightsGroup)
  params: {
    name: ownInsights ? '${name}-${suffix}' : insightsParts[8]
    create: ownInsights
    location: location
    tags: tags
    workspaceResourceId: workspaceResourceId
    principalId: identity.properties.principalId
  }
}

module workspaceRoles 'modules/workspace-roles.bicep' = {
  name: '${name}-workspace-roles'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    workspaceName: workspaceParts[8]
    principalId: identity.properties.principalId
    sentinelApiIncidents: sentinelApiIncidents
  }
}

var requiredSettings = {
  PUSHBACK_SCHEDULE: schedule
  PUSHBACK_WORKSPACE_ID: workspace.properties.customerId
  PUSHBACK_WORKSPACE_RESOURCE_ID: workspaceResourceId
  PUSHBACK_PORTAL: portal
  PUSHBACK_TABLE_ENDPOINT: storage.outputs.tableEndpoint
  PUSHBACK_TABLE_NAME: ledgerTable
}
var alertSettings = sentinelIncidents ? {
  PUSHBACK_ALERTS_ENDPOINT: sentinelAlerts!.outputs.endpoint
  PUSHBACK_ALERTS_RULE: sentinelAlerts!.outputs.ruleId
  PUSHBACK_ALERTS_STREAM: sentinelAlerts!.outputs.stream
} : {}
var sentinelSettings = sentinelApiIncidents ? {
  PUSHBACK_SENTINEL_WORKSPACE: workspaceResourceId
} : {}
var rulesSettings = empty(rulesFolder) ? {} : {
  PUSHBACK_RULES: rulesFolder
}
var teamsSettings = empty(teamsWebhookUrl) ? {} : {
  PUSHBACK_TEAMS_WEBHOOK_URL: '@Microsoft.KeyVault(SecretUri=${vault.outputs.webhookSecretUri})'
}
var webhookSettings = empty(webhookUrl) ? {} : {
  PUSHBACK_WEBHOOK_URL: '@Microsoft.KeyVault(SecretUri=${vault.outputs.receiverSecretUri})'
  PUSHBACK_WEBHOOK_SECRET: '@Microsoft.KeyVault(SecretUri=${vault.outputs.signingSecretUri})'
}

var settings = union(requiredSettings, alertSettings, sentinelSettings, rulesSettings, teamsSettings, webhookSettings, extraSettings)
var firstShare = apps == 1 ? {} : {
  PUSHBACK_SHARE: '1/${apps}'
}

module app 'modules/app.bicep' = {
  name: '${name}-app'
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
    identityId: identity.id
    identityClientId: identity.properties.clientId
    storageName: storage.outputs.name
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    instanceMemoryMB: instanceMemoryMB
    insightsConnectionString: insights.outputs.connectionString
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    settings: union(settings, firstShare)
  }
  dependsOn: [
    endpoints
    workspaceRoles
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: '${name}-alerts'
  params: {
    name: name
    location: insights.outputs.location
    tags: tags
    insightsId: insights.outputs.id
    appName: app.outputs.name
    actionGroupIds: actionGroupIds
  }
}

// One after the other, and after the first: Flex Consumption cannot add two apps to a subnet at once.
@batchSize(1)
module shares 'modules/share.bicep' = [
  for number in range(2, apps - 1): {
    name: '${name}-${number}'
    params: {
      name: '${name}-${suffix}-${number}'
      shortName: '${name}-${number}'
      location: location
      tags: tags
      storageName: storage.outputs.name
      deploymentContainer: '${deploymentContainer}-${number}'
      vaultName: vault.outputs.name
      insightsSubscription: insightsSubscription
      insightsGroup: insightsGroup
      insightsName: ownInsights ? '${name}-${suffix}' : insightsParts[8]
      workspaceResourceId: workspaceResourceId
      alertsCollection: sentinelIncidents ? sentinelAlerts!.outputs.collectionName : ''
      sentinelApiIncidents: sentinelApiIncidents
      instanceMemoryMB: instanceMemoryMB
      subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
      settings: union(settings, {
        PUSHBACK_SHARE: '${number}/${apps}'
      })
      actionGroupIds: actionGroupIds
    }
    dependsOn: [
      app
      endpoints
      insights
    ]
  }
]

@description('Name of the first function app, and of the only one unless there are several.')
output functionAppName string = app.outputs.name

@description('Names of all function apps that the package is deployed to.')
output functionAppNames array = [for number in range(1, apps): number == 1 ? '${name}-${suffix}' : '${name}-${suffix}-${number}']

@description('Client id of the app\'s identity, for AZURE_CLIENT_ID.')
output identityClientId string = identity.properties.clientId

@description('Name of the storage account that has the ledger.')
output storageAccountName string = storage.outputs.name

@description('Name of the key vault that has the webhook.')
output keyVaultName string = vault.outputs.name
