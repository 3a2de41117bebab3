// Pushback in a resource group: the function app, the storage of its ledger, its identity with the least that it needs,
// telemetry, and alert rules that say when it stops.
//
//   az deployment group create --resource-group GROUP --parameters infra/main.bicepparam
targetScope = 'resourceGroup'

import { EmailAddresses, ResourceIds, Settings, Tags } from 'modules/shapes.bicep'

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

@description('Address of the Teams workflow webhook that alerts are posted to, or nothing. It is kept in the key vault alone, unless teamsAuth is identity.')
@secure()
param teamsWebhookUrl string = ''

@description('How the workflow knows who posts: signature, by its address alone, which is a secret, or identity, by a token of the app\'s identity. Then the address is no secret, and the output identityObjectId belongs under Allowed users of the workflow\'s trigger.')
@allowed([
  'signature'
  'identity'
])
param teamsAuth string = 'signature'

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

@description('Further settings of the app by name, such as { PUSHBACK_MIN_SEVERITY: \'medium\' }. handler/README.md lists them. Give a secret, such as PUSHBACK_TEAMS_ROUTES, as a reference to a key vault: who may read the app\'s settings sees what stands here.')
param extraSettings Settings = {}

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

@description('Whether the app calls from one address that stays, which a firewall can let through: that of a NAT gateway in a virtual network of its own.')
param fixedOutboundAddress bool = false

@description('Who is sent an e-mail when the app fails or stops. With neither this nor actionGroupIds the alerts are seen in the portal only.')
param operatorEmails EmailAddresses = []

@description('Resource ids of the action groups that are notified as well, or instead.')
param actionGroupIds ResourceIds = []

@description('How many apps share the rules, each with an identity and so with limits of the workspace of its own. One is enough until ticks are cut short.')
@minValue(1)
@maxValue(16)
param apps int = 1

@description('Tags of all resources.')
param tags Tags = {}

@description('Whether alerts go to Microsoft Sentinel, in either way.')
var sentinelAsked = sentinelIncidents || sentinelApiIncidents

@description('What the deployment to a cloud without Microsoft Sentinel says, where it is asked for. In that cloud it ended in August 2026.')
var noSentinel = 'Microsoft Sentinel ended in the China cloud in August 2026: deploy without sentinelIncidents and sentinelApiIncidents, and have alerts sent to Teams or to a webhook.'

// All names have it, so that a deployment fails here before it makes anything.
@description('What makes names unique: it depends on the resource group and the name.')
var suffix = environment().name == 'AzureChinaCloud' && sentinelAsked ? fail(noSentinel) : uniqueString(resourceGroup().id, name)

@description('Subscription, resource group and name of the workspace are parts 2, 4 and 8 of its id.')
var workspaceParts = split(workspaceResourceId, '/')

@description('Those of the Application Insights that is given.')
var insightsParts = split(applicationInsightsResourceId, '/')

@description('Whether the deployment makes an Application Insights.')
var ownInsights = empty(applicationInsightsResourceId)

@description('Subscription of the Application Insights.')
var insightsSubscription = ownInsights ? subscription().subscriptionId : insightsParts[2]

@description('Resource group of the Application Insights.')
var insightsGroup = ownInsights ? resourceGroup().name : insightsParts[4]

@description('Name of the table that has the ledger.')
var ledgerTable = 'pushback'

@description('Name of the container that the package is deployed to.')
var deploymentContainer = 'deployment'

// Names that several modules are given are made here: an output of the module that makes the resource is not known before it ran, and
// what-if cannot see past it.
@description('Name of the storage account.')
var storageName = take('${toLower(name)}${suffix}', 24)

@description('Name of the key vault.')
var vaultName = take('${name}-${suffix}', 24)

@description('Name of the data collection rule of the alerts, which gets an endpoint of its own when it is made, or never.')
var collectionName = privateNetwork ? '${name}-${suffix}-alerts-private' : '${name}-${suffix}-alerts'

@description('Whether the app is in a virtual network.')
var ownNetwork = privateNetwork || fixedOutboundAddress

// The workspace is somebody else's: only its id and a role on it are ours.
// https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces
resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceParts[8]
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
}

// https://learn.microsoft.com/azure/templates/microsoft.managedidentity/userassignedidentities
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-${suffix}'
  location: location
  tags: tags
}

module network 'modules/network.bicep' = if (ownNetwork) {
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
    fixedOutboundAddress: fixedOutboundAddress
  }
}

module storage 'modules/storage.bicep' = {
  params: {
    name: storageName
    location: location
    tags: tags
    deploymentContainer: deploymentContainer
    ledgerTable: ledgerTable
    redundancy: storageRedundancy
    identityId: identity.id
    principalId: identity.properties.principalId
    privateNetwork: privateNetwork
  }
}

module vault 'modules/vault.bicep' = {
  params: {
    name: vaultName
    location: location
    tags: tags
    teamsWebhookUrl: teamsAuth == 'identity' ? '' : teamsWebhookUrl
    webhookUrl: webhookUrl
    webhookSecret: webhookSecret
    identityId: identity.id
    principalId: identity.properties.principalId
    privateNetwork: privateNetwork
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork) {
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
    networkId: privateNetwork ? network!.outputs.networkId : ''
    subnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    monitored: sentinelIncidents
    monitorScopeId: privateNetwork && sentinelIncidents ? monitorScope!.outputs.id : ''
  }
}

module monitorScope 'modules/monitor-scope.bicep' = if (privateNetwork && sentinelIncidents) {
  params: {
    name: '${name}-${suffix}'
    tags: tags
    endpointId: sentinelIncidents ? sentinelAlerts!.outputs.endpointId : ''
  }
}

// The table, the data collection rule and the analytics rules are the workspace's, wherever that is.
module sentinelAlerts 'modules/sentinel-alerts.bicep' = if (sentinelIncidents) {
  #disable-next-line no-module-name // a made-up name could be that of another Pushback's in the same resource group
  name: '${name}-${suffix}-sentinel-alerts'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    name: '${name}-${suffix}'
    collectionName: collectionName
    workspaceName: workspaceParts[8]
    location: workspace.location
    tags: tags
    identityId: identity.id
    principalId: identity.properties.principalId
    privateNetwork: privateNetwork
    grouping: sentinelGrouping
  }
}

module insights 'modules/insights.bicep' = {
  #disable-next-line no-module-name // a made-up name could be that of another Pushback's in the same resource group
  name: '${name}-${suffix}-insights'
  scope: resourceGroup(insightsSubscription, insightsGroup)
  params: {
    name: ownInsights ? '${name}-${suffix}' : insightsParts[8]
    create: ownInsights
    location: location
    tags: tags
    workspaceResourceId: workspaceResourceId
    identityId: identity.id
    principalId: identity.properties.principalId
  }
}

module workspaceRoles 'modules/workspace-roles.bicep' = {
  #disable-next-line no-module-name // a made-up name could be that of another Pushback's in the same resource group
  name: '${name}-${suffix}-workspace-roles'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    workspaceName: workspaceParts[8]
    identityId: identity.id
    principalId: identity.properties.principalId
    sentinelApiIncidents: sentinelApiIncidents
  }
}

@description('What the app calls the cloud.')
var cloud = { AzureCloud: 'public', AzureUSGovernment: 'usgovernment', AzureChinaCloud: 'china' }[environment().name]

@description('Settings that every app has.')
var requiredSettings = {
  PUSHBACK_SCHEDULE: schedule
  PUSHBACK_CLOUD: cloud
  PUSHBACK_WORKSPACE_ID: workspace.properties.customerId
  PUSHBACK_WORKSPACE_RESOURCE_ID: workspaceResourceId
  PUSHBACK_PORTAL: portal
  PUSHBACK_TABLE_ENDPOINT: storage.outputs.tableEndpoint
  PUSHBACK_TABLE_NAME: ledgerTable
}

@description('Where the alerts of Sentinel are written, if they are.')
var alertsWritten = {
  PUSHBACK_ALERTS_ENDPOINT: sentinelAlerts!.outputs.endpoint
  PUSHBACK_ALERTS_RULE: sentinelAlerts!.outputs.ruleId
  PUSHBACK_ALERTS_STREAM: sentinelAlerts!.outputs.stream
}

// Each is of one line, since the scanner of the tests cannot read the way in which a longer one is formatted.
@description('Settings of the alerts of Sentinel.')
var alertSettings = sentinelIncidents ? alertsWritten : {}

@description('Setting of the incidents by Sentinel\'s API.')
var sentinelSettings = sentinelApiIncidents ? { PUSHBACK_SENTINEL_WORKSPACE: workspaceResourceId } : {}

@description('Setting of the rules.')
var rulesSettings = empty(rulesFolder) ? {} : { PUSHBACK_RULES: rulesFolder }

@description('Setting of the Teams webhook that is a secret: a reference that the platform resolves.')
var teamsSecret = { PUSHBACK_TEAMS_WEBHOOK_URL: '@Microsoft.KeyVault(SecretUri=${vault.outputs.webhookSecretUri})' }

@description('Settings of the Teams webhook that is open to the app\'s identity alone.')
var teamsOpen = {
  PUSHBACK_TEAMS_WEBHOOK_URL: teamsWebhookUrl
  PUSHBACK_TEAMS_AUTH: teamsAuth
}

@description('Settings of the Teams webhook.')
var teamsSettings = empty(teamsWebhookUrl) ? {} : (teamsAuth == 'identity' ? teamsOpen : teamsSecret)

@description('References to what the webhook needs, that the platform resolves.')
var webhookReferences = {
  PUSHBACK_WEBHOOK_URL: '@Microsoft.KeyVault(SecretUri=${vault.outputs.receiverSecretUri})'
  PUSHBACK_WEBHOOK_SECRET: '@Microsoft.KeyVault(SecretUri=${vault.outputs.signingSecretUri})'
}

@description('Settings of the webhook.')
var webhookSettings = empty(webhookUrl) ? {} : webhookReferences

@description('All settings that the apps have in common. What is given wins.')
var settings = union(requiredSettings, alertSettings, sentinelSettings, rulesSettings, teamsSettings, webhookSettings, extraSettings)

@description('The share of the first app.')
var firstShare = apps == 1 ? {} : { PUSHBACK_SHARE: '1/${apps}' }

module app 'modules/app.bicep' = {
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
    serviceName: 'handler' // in azure.yaml
    identityId: identity.id
    identityClientId: identity.properties.clientId
    storageName: storage.outputs.name
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    instanceMemoryMB: instanceMemoryMB
    insightsConnectionString: insights.outputs.connectionString
    subnetId: ownNetwork ? network!.outputs.appSubnetId : ''
    settings: union(settings, firstShare)
  }
  dependsOn: [
    endpoints
    workspaceRoles
  ]
}

// https://learn.microsoft.com/azure/templates/microsoft.insights/actiongroups
resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(operatorEmails)) {
  name: '${name}-${suffix}-operators'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: name
    emailReceivers: [
      for email in operatorEmails: {
        name: email
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('Action groups that are notified when the app fails or stops.')
var notified = empty(operatorEmails) ? actionGroupIds : concat(actionGroupIds, [operators.id])

@description('What the deployment says where nobody is notified.')
var nobodyNotified = 'NOBODY is notified when the app fails or stops: deploy again with operatorEmails or actionGroupIds.'

@description('What the deployment says where somebody is.')
var somebodyNotified = 'Notified when the app fails or stops: ${join(concat(operatorEmails, actionGroupIds), ', ')}.'

module alerts 'modules/alerts.bicep' = {
  params: {
    name: name
    location: insights.outputs.location
    tags: tags
    insightsId: insights.outputs.id
    appName: app.outputs.name
    actionGroupIds: notified
  }
}

module workbook 'modules/workbook.bicep' = {
  params: {
    name: '${name}-${suffix}'
    location: location
    tags: tags
    telemetryWorkspaceId: insights.outputs.workspaceId
    insightsId: insights.outputs.id
  }
}

// One after the other, and after the first: Flex Consumption cannot add two apps to a subnet at once.
@batchSize(1)
module shares 'modules/share.bicep' = [
  for number in range(2, apps - 1): {
    params: {
      name: '${name}-${suffix}-${number}'
      shortName: '${name}-${number}'
      location: location
      tags: tags
      storageName: storageName
      deploymentContainer: '${deploymentContainer}-${number}'
      vaultName: vaultName
      insightsSubscription: insightsSubscription
      insightsGroup: insightsGroup
      insightsName: ownInsights ? '${name}-${suffix}' : insightsParts[8]
      workspaceResourceId: workspaceResourceId
      alertsCollection: sentinelIncidents ? collectionName : ''
      sentinelApiIncidents: sentinelApiIncidents
      instanceMemoryMB: instanceMemoryMB
      subnetId: ownNetwork ? network!.outputs.appSubnetId : ''
      settings: union(settings, {
        PUSHBACK_SHARE: '${number}/${apps}'
      })
      actionGroupIds: notified
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
output functionAppNames string[] = [for number in range(1, apps): number == 1 ? '${name}-${suffix}' : '${name}-${suffix}-${number}']

@description('Client id of the app\'s identity, for AZURE_CLIENT_ID.')
output identityClientId string = identity.properties.clientId

@description('Object id of the identity of the first app, for Allowed users of a workflow\'s trigger.')
output identityObjectId string = identity.properties.principalId

@description('Name of the storage account that has the ledger.')
output storageAccountName string = storage.outputs.name

@description('Name of the key vault that has the webhook.')
output keyVaultName string = vault.outputs.name

@description('The address that the app calls from, for firewalls, or nothing if it does not stay.')
output outboundAddress string = fixedOutboundAddress ? network!.outputs.outboundAddress : ''

@description('Resource id of the workbook that shows what ticks did.')
output workbookId string = workbook.outputs.id

@description('Whether anybody is notified when the app fails or stops.')
output notified string = empty(notified) ? nobodyNotified : somebodyNotified
