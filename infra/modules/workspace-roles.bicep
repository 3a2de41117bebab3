// What the app's identity may do in the workspace that it queries, which may be in another resource group or subscription.

@description('Name of the workspace.')
param workspaceName string

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

@description('Whether alerts become incidents through Sentinel\'s API.')
param sentinelApiIncidents bool

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceName
}

// Reason: the rules query the logs.
// Log Analytics Reader
// https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments
resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, identityId, '73c42c96-874c-492b-b04d-ab87d138a893')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '73c42c96-874c-492b-b04d-ab87d138a893')
  }
}

// Reason: incidents and comments could be made by Responder, bookmarks by Contributor alone.
// Microsoft Sentinel Contributor
resource sentinel 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (sentinelApiIncidents) {
  scope: workspace
  name: guid(workspace.id, identityId, 'ab8e14d6-4a74-4a29-9ba8-549422addade')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'ab8e14d6-4a74-4a29-9ba8-549422addade')
  }
}
