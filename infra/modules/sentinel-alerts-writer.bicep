// What a further app's identity may do with the data collection rule of the first: write the rows of alerts.

@description('Name of the data collection rule.')
param collectionName string

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

resource collection 'Microsoft.Insights/dataCollectionRules@2024-03-11' existing = {
  name: collectionName
}

// Reason: the app writes the rows of alerts.
// Monitoring Metrics Publisher
// https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments
resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: collection
  name: guid(collection.id, identityId, '3913510d-42f4-4e42-8a64-420c390055eb')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')
  }
}
