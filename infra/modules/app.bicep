// The function app on Flex Consumption.

import { Settings, Tags } from 'shapes.bicep'

@description('Name of the app and its plan.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('What azd finds the app by, or nothing.')
param serviceName string

@description('Resource id of the app\'s identity.')
param identityId string

@description('Client id of the app\'s identity.')
param identityClientId string

@description('Name of the storage account of the host\'s own state.')
param storageName string

@description('Address of the container that packages are deployed to.')
param deploymentContainerUrl string

@description('Memory of an instance in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int

@description('Where the telemetry goes.')
param insightsConnectionString string

@description('Resource id of the subnet that the app reaches other services through, or nothing.')
param subnetId string

@description('Settings of Pushback, by name.')
param settings Settings

@description('Where the host finds the storage account by its name alone: it takes one for an account of the public cloud.')
var storageByName = { AzureWebJobsStorage__accountName: storageName }

@description('Where the host finds the storage account in another cloud.')
var storageByAddress = {
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${environment().suffixes.storage}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${environment().suffixes.storage}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${environment().suffixes.storage}'
}

@description('Where the host finds the storage account.')
var hostStorage = environment().name == 'AzureCloud' ? storageByName : storageByAddress

@description('Settings that the Functions host reads.')
var hostSettings = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
}

@description('Tags of the app. That of azd is on it alone: azd wants to find one resource by it.')
var appTags = empty(serviceName) ? tags : union(tags, { 'azd-service-name': serviceName })

// https://learn.microsoft.com/azure/templates/microsoft.web/serverfarms
resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // checkov:skip=CKV_AZURE_225: not all regions have zones; a tick that is lost with a zone is caught up
  name: name
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.web/sites
resource app 'Microsoft.Web/sites@2025-03-01' = {
  // checkov:skip=CKV_AZURE_17: nobody calls the app, so there are no client certificates to ask for
  // checkov:skip=CKV_AZURE_222: packages are deployed through its public endpoint, as identities of Entra ID alone
  // checkov:skip=CKV_AZURE_212: Flex Consumption starts an instance when the timer is due; what a lost one did not do the next tick does
  // checkov:skip=CKV_AZURE_78: Flex Consumption has no FTP and refuses ftpsState; publishing by FTP is off below
  // checkov:skip=CKV_AZURE_213: there is no health check on Flex Consumption; the alert rules watch the ticks instead
  name: name
  location: location
  tags: appTags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    // The key vault and the storage account are reached through it, too.
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        // The timer runs once over all instances: more than the least would wait. 40 is the least that every region takes.
        maximumInstanceCount: 40
      }
    }
    siteConfig: {
      http20Enabled: true
      minTlsVersion: '1.2'
      remoteDebuggingEnabled: false
    }
  }

  // https://learn.microsoft.com/azure/templates/microsoft.web/sites/config-appsettings
  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(hostSettings, hostStorage, settings)
  }

  // Packages are deployed as an identity of Entra ID, not with the app's publishing password.
  // https://learn.microsoft.com/azure/templates/microsoft.web/sites/basicpublishingcredentialspolicies
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

@description('Name of the app.')
output name string = app.name
