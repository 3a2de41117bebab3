// A virtual network for the app and the private endpoints of what it uses.

import { Tags } from 'shapes.bicep'

@description('Name of the network.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Addresses of the network.')
param addressPrefix string = '10.80.0.0/24'

@description('Addresses of the app, within those of the network: Flex Consumption wants a /27 at least.')
param appPrefix string = '10.80.0.0/27'

@description('Addresses of the private endpoints, within those of the network.')
param endpointPrefix string = '10.80.0.32/27'

@description('Whether the app calls from an address that stays.')
param fixedOutboundAddress bool

// Nothing comes in: the app calls, and nobody calls it.
// https://learn.microsoft.com/azure/templates/microsoft.network/networksecuritygroups
resource group 'Microsoft.Network/networkSecurityGroups@2026-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-internet-in'
        properties: {
          access: 'Deny'
          direction: 'Inbound'
          priority: 4000
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.network/publicipaddresses
resource address 'Microsoft.Network/publicIPAddresses@2026-03-01' = if (fixedOutboundAddress) {
  name: '${name}-outbound'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.network/natgateways
resource gateway 'Microsoft.Network/natGateways@2026-03-01' = if (fixedOutboundAddress) {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard' // StandardV2 is not for all subnets that are delegated
  }
  properties: {
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

// Subnets are private from version 2025-07-01 of the API on unless it is said of each. In one that is delegated the service sees to
// what goes out, by the documentation; should it not, the app must still reach the workspace, so it is asked for where no NAT gateway
// is. Private endpoints call nobody.
// https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access
// https://learn.microsoft.com/azure/templates/microsoft.network/virtualnetworks
resource network 'Microsoft.Network/virtualNetworks@2026-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appPrefix
          defaultOutboundAccess: !fixedOutboundAddress
          natGateway: fixedOutboundAddress ? { id: gateway.id } : null
          networkSecurityGroup: {
            id: group.id
          }
          delegations: [
            {
              name: 'flex'
              properties: {
                // What Flex Consumption asks for: https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointPrefix
          defaultOutboundAccess: false
          networkSecurityGroup: {
            id: group.id
          }
        }
      }
    ]
  }
}

@description('Resource id of the network.')
output networkId string = network.id

@description('Resource id of the app\'s subnet.')
output appSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'app')

@description('Resource id of the subnet of the private endpoints.')
output endpointSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'endpoints')

@description('The address that the app calls from, or nothing if it does not stay.')
output outboundAddress string = fixedOutboundAddress ? address!.properties.ipAddress : ''
