// A virtual network for the app and the private endpoints of what it uses.

@description('Name of the network.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Addresses of the network.')
param addressPrefix string = '10.80.0.0/24'

@description('Addresses of the app, within those of the network: Flex Consumption wants a /27 at least.')
param appPrefix string = '10.80.0.0/27'

@description('Addresses of the private endpoints, within those of the network.')
param endpointPrefix string = '10.80.0.32/27'

// Nothing comes in: the app calls, and nobody calls it.
// https://learn.microsoft.com/azure/templates/microsoft.network/networksecuritygroups
resource group 'Microsoft.Network/networkSecurityGroups@2024-01-01' = {
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

// https://learn.microsoft.com/azure/templates/microsoft.network/virtualnetworks
resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = {
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
