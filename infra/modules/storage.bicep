// The storage account: the deployed package, the host's own state, and the ledger.
// Nobody has a key of it.

import { Tags } from 'shapes.bicep'

@description('Name of the storage account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Name of the blob container that the package is deployed to.')
param deploymentContainer string

@description('Name of the table that has the ledger.')
param ledgerTable string

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

@description('Redundancy of the account.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
param redundancy string

@description('Whether only private endpoints reach it.')
param privateNetwork bool

@description('Whether it is reached from outside of the network.')
var publicAccess = privateNetwork ? 'Disabled' : 'Enabled'

// https://learn.microsoft.com/azure/templates/microsoft.storage/storageaccounts
resource account 'Microsoft.Storage/storageAccounts@2026-09-01' = {
  // checkov:skip=CKV_AZURE_35: all networks are refused where privateNetwork is chosen; without it Flex Consumption has no fixed address
  // checkov:skip=CKV_AZURE_206: zones are enough: without its region the app does not run either, and the logs outlast both
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: publicAccess
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.storage/storageaccounts/blobservices
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-09-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.storage/storageaccounts/blobservices/containers
resource deployment 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-09-01' = {
  parent: blobs
  name: deploymentContainer
  properties: {
    publicAccess: 'None'
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.storage/storageaccounts/tableservices
resource tables 'Microsoft.Storage/storageAccounts/tableServices@2026-09-01' = {
  parent: account
  name: 'default'
}

// https://learn.microsoft.com/azure/templates/microsoft.storage/storageaccounts/tableservices/tables
resource ledger 'Microsoft.Storage/storageAccounts/tableServices/tables@2026-09-01' = {
  parent: tables
  name: ledgerTable
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

// Reason: the ledger reads and writes its table, and the host its diagnostic events in another.
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

@description('Resource id of the account.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Address of its tables.')
output tableEndpoint string = account.properties.primaryEndpoints.table

@description('Address of the container of packages.')
output deploymentContainerUrl string = '${account.properties.primaryEndpoints.blob}${deployment.name}'
