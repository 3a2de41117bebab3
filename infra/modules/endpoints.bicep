// Private endpoints of the storage account, the key vault and, if there is one, Azure Monitor, with their names in private DNS.

import { Tags } from 'shapes.bicep'

@description('Name that the endpoints begin with.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Resource id of the network.')
param networkId string

@description('Resource id of the subnet.')
param subnetId string

@description('Resource id of the storage account.')
param storageId string

@description('Resource id of the key vault.')
param vaultId string

@description('Whether there is a private link scope of Azure Monitor: its id is not known before the deployment, but how many endpoints there are must be.')
param monitored bool

@description('Resource id of the private link scope of Azure Monitor, or nothing.')
param monitorScopeId string

// https://learn.microsoft.com/azure/private-link/private-endpoint-dns
@description('Zones whose names environment() does not know, by cloud.')
var zonesOfCloud = {
  AzureCloud: {
    monitor: 'privatelink.monitor.azure.com'
    vault: 'privatelink.vaultcore.azure.net'
  }
  AzureUSGovernment: {
    monitor: 'privatelink.monitor.azure.us'
    vault: 'privatelink.vaultcore.usgovcloudapi.net'
  }
  AzureChinaCloud: {
    monitor: 'privatelink.monitor.azure.cn'
    vault: 'privatelink.vaultcore.azure.cn'
  }
}

@description('What of Azure Monitor has an endpoint, if it has one.')
var monitorTarget = {
  group: 'azuremonitor'
  resource: monitorScopeId
  zone: zonesOfCloud[environment().name].monitor
}

@description('What of the app\'s own has an endpoint.')
var ownTargets = [
  {
    group: 'blob'
    resource: storageId
    zone: 'privatelink.blob.${environment().suffixes.storage}'
  }
  {
    group: 'queue'
    resource: storageId
    zone: 'privatelink.queue.${environment().suffixes.storage}'
  }
  {
    group: 'table'
    resource: storageId
    zone: 'privatelink.table.${environment().suffixes.storage}'
  }
  {
    group: 'vault'
    resource: vaultId
    zone: zonesOfCloud[environment().name].vault
  }
]

@description('Resources, the part of each that has an endpoint, and the zone of its name.')
var targets = monitored ? concat(ownTargets, [monitorTarget]) : ownTargets

// https://learn.microsoft.com/azure/templates/microsoft.network/privatednszones
resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for target in targets: {
    name: target.zone
    location: 'global'
    tags: tags
  }
]

// https://learn.microsoft.com/azure/templates/microsoft.network/privatednszones/virtualnetworklinks
resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (target, i) in targets: {
    parent: zones[i]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkId
      }
    }
  }
]

// One after the other: the storage account refuses several at once.
// https://learn.microsoft.com/azure/templates/microsoft.network/privateendpoints
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2026-03-01' = [
  for target in targets: {
    name: '${name}-${target.group}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: target.group
          properties: {
            privateLinkServiceId: target.resource
            groupIds: [
              target.group
            ]
          }
        }
      ]
    }
  }
]

// https://learn.microsoft.com/azure/templates/microsoft.network/privateendpoints/privatednszonegroups
resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2026-03-01' = [
  for (target, i) in targets: {
    parent: endpoints[i]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: target.group
          properties: {
            privateDnsZoneId: zones[i].id
          }
        }
      ]
    }
  }
]
