// Alerts of Microsoft Sentinel: the app writes a row for each into a table of the workspace, and two analytics rules turn rows into
// alerts, which the Defender portal and the Azure portal both show. All of it is in the workspace's resource group.

import { Tags } from 'shapes.bicep'

@description('Name that the data collection endpoint begins with.')
param name string

@description('Name of the data collection rule.')
param collectionName string

@description('Name of the workspace, which has Microsoft Sentinel.')
param workspaceName string

@description('Region of the workspace: the data collection rule takes no other.')
param location string

@description('Tags.')
param tags Tags

@description('Resource id of the app\'s identity, which its role assignments are named after: unlike its object id it is known before a deployment.')
param identityId string

@description('Object id of the app\'s identity.')
param principalId string

@description('Whether the app reaches the Logs Ingestion API through a data collection endpoint of its own, which refuses public networks.')
param privateNetwork bool

@description('Who says which alerts are one incident: only, the rule alone; defender, Defender\'s correlation may merge incidents; tenant, what the tenant is set to.')
@allowed([
  'only'
  'defender'
  'tenant'
])
param grouping string

@description('The columns are those of the row that the app writes: the file is the one definition.')
var columns = loadJsonContent('../../detect/notify/alerts/columns.json')

@description('Name of the table.')
var tableName = 'PushbackAlerts_CL'

@description('Stream of the data collection rule.')
var streamName = 'Custom-PushbackAlerts'

@description('What Sentinel reads at the beginning of a rule\'s description.')
var correlation = {
  only: '#DONT_CORR# '
  defender: '#INC_CORR# '
  tenant: ''
}[grouping]

// What the alert of a row has of it.
@description('Each row is one alert.')
var eventGrouping = {
  aggregationKind: 'AlertPerResult'
}

@description('Columns that the alert\'s own properties are taken from.')
var details = {
  alertDisplayNameFormat: '{{AlertTitle}}'
  alertDescriptionFormat: '{{AlertDescription}}'
  alertSeverityColumnName: 'AlertSeverity'
  alertTacticsColumnName: 'Tactics'
  alertDynamicProperties: [
    {
      alertProperty: 'AlertLink'
      value: 'AlertLink'
    }
    {
      alertProperty: 'RemediationSteps'
      value: 'RemediationSteps'
    }
    {
      alertProperty: 'Techniques'
      value: 'Techniques'
    }
  ]
}

@description('Columns that are custom details.')
var customDetails = {
  AlertId: 'AlertId'
  Story: 'Story'
  Rule: 'RuleName'
  UpdateOf: 'UpdateOf'
  Details: 'Details'
  LeftOut: 'LeftOut'
  Build: 'Build'
}

@description('All entities are in one column.')
var entities = [
  {
    entityType: 'SentinelEntities'
    fieldMappings: [
      {
        identifier: 'Entities'
        columnName: 'Entities'
      }
    ]
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceName
}

// https://learn.microsoft.com/azure/templates/microsoft.operationalinsights/workspaces/tables
resource table 'Microsoft.OperationalInsights/workspaces/tables@2026-03-01' = {
  parent: workspace
  name: tableName
  properties: {
    plan: 'Analytics'
    schema: {
      name: tableName
      columns: columns
    }
  }
}

// https://learn.microsoft.com/azure/templates/microsoft.insights/datacollectionendpoints
resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = if (privateNetwork) {
  name: '${name}-alerts'
  location: location
  tags: tags
  properties: {
    networkAcls: {
      publicNetworkAccess: 'Disabled'
    }
  }
}

// It gets an endpoint of its own when it is made, or never: that of kind Direct.
// https://learn.microsoft.com/azure/templates/microsoft.insights/datacollectionrules
resource collection 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: collectionName
  location: location
  tags: tags
  kind: privateNetwork ? null : 'Direct'
  properties: {
    description: 'Alerts of Pushback, into ${tableName}.'
    dataCollectionEndpointId: privateNetwork ? endpoint.id : null
    streamDeclarations: {
      '${streamName}': {
        columns: columns
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          streamName
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-${tableName}'
      }
    ]
  }
  dependsOn: [
    table
  ]
}

// Reason: the app writes the rows of alerts.
// Monitoring Metrics Publisher
// https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments
resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: collection
  name: guid(collection.id, identityId, '3913510d-42f4-4e42-8a64-420c390055eb')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '3913510d-42f4-4e42-8a64-420c390055eb')
  }
}

// Kind Scheduled runs every five minutes and is in a stable version of the API; kind NRT would see a row some three minutes earlier,
// and is in previews only. The rules are the same for all apps of the workspace, so that a row is one alert: their ids are of the
// workspace alone. Azure refuses the id of a rule that was deleted within the last day.
// https://learn.microsoft.com/azure/templates/microsoft.securityinsights/alertrules
resource incidents 'Microsoft.SecurityInsights/alertRules@2025-09-01' = {
  scope: workspace
  name: guid(workspace.id, tableName, 'incidents')
  kind: 'Scheduled'
  properties: {
    displayName: 'Pushback alerts'
    description: '${correlation}Alerts that Pushback wrote into ${tableName}, each as it was found. Those of one story are one incident.'
    enabled: true
    severity: 'Medium'
    query: loadTextContent('../../detect/notify/alerts/incidents.kql')
    queryFrequency: 'PT5M'
    queryPeriod: 'P1D'
    triggerOperator: 'GreaterThan'
    triggerThreshold: 0
    suppressionEnabled: false
    suppressionDuration: 'PT5H'
    eventGroupingSettings: eventGrouping
    alertDetailsOverride: details
    customDetails: customDetails
    entityMappings: entities
    incidentConfiguration: {
      createIncident: true
      groupingConfiguration: {
        enabled: true
        reopenClosedIncident: false
        lookbackDuration: 'P7D' // a story that goes on longer than its own rule looks back has another key
        matchingMethod: 'Selected'
        groupByEntities: []
        groupByAlertDetails: []
        groupByCustomDetails: [
          'Story'
        ]
      }
    }
  }
  dependsOn: [
    table
  ]
}

// Alerts of rules that want no incident.
resource noIncidents 'Microsoft.SecurityInsights/alertRules@2025-09-01' = {
  scope: workspace
  name: guid(workspace.id, tableName, 'no incidents')
  kind: 'Scheduled'
  properties: {
    displayName: 'Pushback alerts without incidents'
    description: '${correlation}Alerts that Pushback wrote into ${tableName}, of rules whose createIncident is false.'
    enabled: true
    severity: 'Medium'
    query: loadTextContent('../../detect/notify/alerts/noincidents.kql')
    queryFrequency: 'PT5M'
    queryPeriod: 'P1D'
    triggerOperator: 'GreaterThan'
    triggerThreshold: 0
    suppressionEnabled: false
    suppressionDuration: 'PT5H'
    eventGroupingSettings: eventGrouping
    alertDetailsOverride: details
    customDetails: customDetails
    entityMappings: entities
    incidentConfiguration: {
      createIncident: false
      groupingConfiguration: {
        enabled: false
        reopenClosedIncident: false
        lookbackDuration: 'PT5H'
        matchingMethod: 'AllEntities'
        groupByEntities: []
        groupByAlertDetails: []
        groupByCustomDetails: []
      }
    }
  }
  dependsOn: [
    table
  ]
}

@description('Where the Logs Ingestion API takes rows.')
output endpoint string = privateNetwork ? endpoint!.properties.logsIngestion.endpoint : collection.properties.endpoints.logsIngestion

@description('Immutable id of the data collection rule.')
output ruleId string = collection.properties.immutableId

@description('Stream of the data collection rule.')
output stream string = streamName

@description('Resource id of the data collection endpoint, or nothing.')
output endpointId string = privateNetwork ? endpoint.id : ''
