// Application Insights on the workspace, into which only identities write.

import { Tags } from 'shapes.bicep'

@description('Name of the component.')
param name string

@description('Whether to make it: else it is there.')
param create bool

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Resource id of the workspace that keeps the telemetry.')
param workspaceResourceId string

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

// https://learn.microsoft.com/azure/templates/microsoft.insights/components
resource made 'Microsoft.Insights/components@2020-02-02' = if (create) {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: workspaceResourceId
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: name
}

// Reason: telemetry is taken from identities alone.
// Monitoring Metrics Publisher
// https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments
resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, identityId, '3913510d-42f4-4e42-8a64-420c390055eb')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')
  }
  dependsOn: [
    made
  ]
}

@description('Resource id of the component.')
output id string = component.id

@description('Resource id of the workspace that keeps the telemetry.')
output workspaceId string = create ? workspaceResourceId : component.properties.WorkspaceResourceId

@description('Region of the component.')
output location string = create ? location : component.location

@description('Where the telemetry goes. It holds no secret where local authentication is off.')
output connectionString string = create ? made!.properties.ConnectionString : component.properties.ConnectionString
