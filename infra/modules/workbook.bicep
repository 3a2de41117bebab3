// The workbook that shows what ticks did, over the telemetry.

import { Tags } from 'shapes.bicep'

@description('Name of the first app: those of the others begin with it.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags Tags

@description('Resource id of the workspace that keeps the telemetry.')
param telemetryWorkspaceId string

@description('Resource id of the Application Insights, beside whose workbooks it is listed.')
param insightsId string

@description('What it shows, by the queries of the file. The tests run them.')
var content = replace(replace(loadTextContent('workbook.json'), '__WORKSPACE__', telemetryWorkspaceId), '__APP__', name)

// A workbook is named by a GUID, the same in each deployment.
// https://learn.microsoft.com/azure/templates/microsoft.insights/workbooks
resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: 'Pushback ${name}'
    description: 'Ticks, alerts, deliveries and late records of Pushback.'
    serializedData: content
    sourceId: insightsId
    version: 'Notebook/1.0'
  }
}

@description('Resource id of the workbook.')
output id string = workbook.id
