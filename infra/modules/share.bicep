// One more app beside the first: it runs its share of the rules on the same ledger, as an identity of its own, since the limits of the
// workspace are for each identity.

import { ResourceIds, Settings, Tags } from 'shapes.bicep'

@description('Name of the app, its plan and its identity. Its first 32 characters are its own: the host keeps its locks under them, and apps of one storage account must not share locks.')
@maxLength(32)
param name string

@description('Name that its alert rules begin with.')
param shortName string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Name of the storage account that has the ledger.')
param storageName string

@description('Name of the blob container that its package is deployed to: no two apps can have one.')
param deploymentContainer string

@description('Name of the key vault that has the webhook.')
param vaultName string

@description('Subscription of the Application Insights.')
param insightsSubscription string

@description('Resource group of the Application Insights.')
param insightsGroup string

@description('Name of the Application Insights, which is there.')
param insightsName string

@description('Resource id of the workspace whose logs the rules query.')
param workspaceResourceId string

@description('Name of the data collection rule, in the workspace\'s resource group, that alerts are written through, or nothing.')
param alertsCollection string

@description('Whether alerts become incidents through Sentinel\'s API.')
param sentinelApiIncidents bool

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('Resource id of the subnet that the apps reach other services through, or nothing.')
param subnetId string

@description('Settings of Pushback, by name, with the share.')
param settings Settings

@description('Resource ids of the action groups to notify.')
param actionGroupIds ResourceIds

@description('Subscription, resource group and name of the workspace are parts 2, 4 and 8 of its id.')
var workspaceParts = split(workspaceResourceId, '/')

// https://learn.microsoft.com/azure/templates/microsoft.managedidentity/userassignedidentities
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

module access 'share-access.bicep' = {
  params: {
    storageName: storageName
    deploymentContainer: deploymentContainer
    vaultName: vaultName
    identityId: identity.id
    principalId: identity.properties.principalId
  }
}

module insights 'insights.bicep' = {
  #disable-next-line no-module-name // a made-up name could be that of another Pushback's in the same resource group
  name: '${name}-insights'
  scope: resourceGroup(insightsSubscription, insightsGroup)
  params: {
    name: insightsName
    create: false
    location: location
    tags: tags
    workspaceResourceId: workspaceResourceId
    identityId: identity.id
    principalId: identity.properties.principalId
  }
}

module workspaceRoles 'workspace-roles.bicep' = {
  #disable-next-line no-module-name // a made-up name could be that of another Pushback's in the same resource group
  name: '${name}-workspace-roles'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    workspaceName: workspaceParts[8]
    identityId: identity.id
    principalId: identity.properties.principalId
    sentinelApiIncidents: sentinelApiIncidents
  }
}

module alertsWriter 'sentinel-alerts-writer.bicep' = if (!empty(alertsCollection)) {
  #disable-next-line no-module-name // a made-up name could be that of another Pushback's in the same resource group
  name: '${name}-sentinel-alerts'
  scope: resourceGroup(workspaceParts[2], workspaceParts[4])
  params: {
    collectionName: alertsCollection
    identityId: identity.id
    principalId: identity.properties.principalId
  }
}

module app 'app.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    serviceName: '' // azd deploys to the first app
    identityId: identity.id
    identityClientId: identity.properties.clientId
    storageName: storageName
    deploymentContainerUrl: access.outputs.deploymentContainerUrl
    instanceMemoryMB: instanceMemoryMB
    insightsConnectionString: insights.outputs.connectionString
    subnetId: subnetId
    settings: settings
  }
  dependsOn: [
    alertsWriter
    workspaceRoles
  ]
}

module alerts 'alerts.bicep' = {
  params: {
    name: shortName
    location: insights.outputs.location
    tags: tags
    insightsId: insights.outputs.id
    appName: app.outputs.name
    actionGroupIds: actionGroupIds
  }
}
