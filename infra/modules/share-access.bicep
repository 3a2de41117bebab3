// What a further app has in the storage account and the key vault of the first: a container for its package, and the same roles.

@description('Name of the storage account.')
param storageName string

@description('Name of the blob container that the package is deployed to.')
param deploymentContainer string

@description('Name of the key vault.')
param vaultName string

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

resource account 'Microsoft.Storage/storageAccounts@2026-09-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
}

// https://learn.microsoft.com/azure/templates/microsoft.storage/storageaccounts/blobservices/containers
resource deployment 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-09-01' = {
  parent: account::blobs
  name: deploymentContainer
  properties: {
    publicAccess: 'None'
  }
}

// Reason: the host keeps the timer's lease in containers that it makes, and reads the package.
// Storage Blob Data Owner
// https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments
resource blobOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, identityId, 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b')
  }
}

// Reason: the ledger is one for all apps, and the host writes its diagnostic events into another table.
// Storage Table Data Contributor
resource tableContributor 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, identityId, '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')
  }
}

// Reason: the app setting with the webhook is a reference that the platform resolves as the app's identity.
// Key Vault Secrets User
resource secretsUser 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identityId, '4633458b-17de-408a-b874-0445c86b69e6')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
  }
}

@description('Address of the container of packages.')
output deploymentContainerUrl string = '${account.properties.primaryEndpoints.blob}${deployment.name}'
