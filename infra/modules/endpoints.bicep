// Private endpoints of the storage account, the key vault and, if there is one, Azure Monitor, with their names in private DNS.

@description('Name that the endpoints begin with.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the network.')
param networkId string

@description('Resource id of the subnet.')
param subnetId string

@description('Resource id of the storage account.')
param storageId string

@description('Resource id of the key vault.')
param vaultId string

@description('Resource id of the private link scope of Azure Monitor, or nothing.')
param monitorScopeId string

var monitorTargets = empty(monitorScopeId) ? [] : [
  {
    group: 'azuremonitor'
    resource: monitorScopeId
    zone: 'privatelink.monitor.azure.com'
  }
]
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
    zone: 'privatelink.vaultcore.azure.net'
  }
]
var targets = concat(ownTargets, monitorTargets)

// https://learn.microsoft.com/azure/templates/microsoft.network/privatednszones
resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [
  for target in targets: {
    name: target.zone
    location: 'global'
    tags: tags
  }
]

// https://learn.microsoft.com/azure/templates/microsoft.network/privatednszones/virtualnetworklinks
resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [
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
resource endpoints 'Microsoft.Network/privateEndpoints@2024-01-01' = [
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
resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-01-01' = [
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
