// The key vault, which has the addresses of webhooks, and what messages are signed with, as secrets.

import { Tags } from 'shapes.bicep'

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Address of the Teams webhook, or nothing.')
@secure()
param teamsWebhookUrl string

@description('Address of another webhook, or nothing.')
@secure()
param webhookUrl string

@description('What the messages to that are signed with, or nothing.')
@secure()
param webhookSecret string

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

@description('Whether only private endpoints reach it.')
param privateNetwork bool

@description('Whether it is reached from outside of the network.')
var publicAccess = privateNetwork ? 'Disabled' : 'Enabled'

// https://learn.microsoft.com/azure/templates/microsoft.keyvault/vaults
resource vault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  // checkov:skip=CKV_AZURE_109: all networks are refused where privateNetwork is chosen; without it Flex Consumption has no fixed address
  // checkov:skip=CKV_AZURE_189: public access is off where privateNetwork is chosen
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enablePurgeProtection: true
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    publicNetworkAccess: publicAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.keyvault/vaults/secrets
resource webhook 'Microsoft.KeyVault/vaults/secrets@2026-05-15' = if (!empty(teamsWebhookUrl)) {
  // checkov:skip=CKV_AZURE_41: the address of a workflow has no date at which it ends; it is replaced by a deployment
  // checkov:skip=CKV_AZURE_114: contentType is set below, where the scanner does not look
  parent: vault
  name: 'teams-webhook-url'
  tags: tags
  properties: {
    contentType: 'Address of a Teams workflow webhook'
    value: teamsWebhookUrl
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.keyvault/vaults/secrets
resource receiver 'Microsoft.KeyVault/vaults/secrets@2026-05-15' = if (!empty(webhookUrl)) {
  // checkov:skip=CKV_AZURE_41: the address of a receiver has no date at which it ends; it is replaced by a deployment
  // checkov:skip=CKV_AZURE_114: contentType is set below, where the scanner does not look
  parent: vault
  name: 'webhook-url'
  tags: tags
  properties: {
    contentType: 'Address of a webhook'
    value: webhookUrl
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.keyvault/vaults/secrets
resource signing 'Microsoft.KeyVault/vaults/secrets@2026-05-15' = if (!empty(webhookSecret)) {
  // checkov:skip=CKV_AZURE_41: a secret to sign with has no date at which it ends; two of them count while one replaces the other
  // checkov:skip=CKV_AZURE_114: contentType is set below, where the scanner does not look
  parent: vault
  name: 'webhook-secret'
  tags: tags
  properties: {
    contentType: 'What the messages to a webhook are signed with'
    value: webhookSecret
  }
}

// Reason: the app setting with the webhook is a reference that the platform resolves as the app's identity.
// Key Vault Secrets User
// https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments
resource secretsUser 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identityId, '4633458b-17de-408a-b874-0445c86b69e6')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
  }
}

@description('Resource id of the vault.')
output id string = vault.id

@description('Name of the vault.')
output name string = vault.name

@description('Address of the webhook\'s secret, in whatever version is the newest.')
output webhookSecretUri string = '${vault.properties.vaultUri}secrets/teams-webhook-url'

@description('Address of the secret that is the other webhook\'s address, in whatever version is the newest.')
output receiverSecretUri string = '${vault.properties.vaultUri}secrets/webhook-url'

@description('Address of the secret that messages are signed with, in whatever version is the newest.')
output signingSecretUri string = '${vault.properties.vaultUri}secrets/webhook-secret'
