// The private link scope by which the app reaches the data collection endpoint of its alerts. It is open: what else of Azure Monitor
// the app uses, the workspace's queries and Application Insights, is reached as before.

import { Tags } from 'shapes.bicep'

@description('Name of the scope.')
param name string

@description('Tags.')
param tags Tags

@description('Resource id of the data collection endpoint.')
param endpointId string

// https://learn.microsoft.com/azure/templates/microsoft.insights/privatelinkscopes
resource monitorScope 'Microsoft.Insights/privateLinkScopes@2021-09-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      ingestionAccessMode: 'Open'
      queryAccessMode: 'Open'
    }
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.insights/privatelinkscopes/scopedresources
resource scoped 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-09-01' = {
  parent: monitorScope
  name: 'alerts'
  properties: {
    linkedResourceId: endpointId
  }
}

@description('Resource id of the scope.')
output id string = monitorScope.id
