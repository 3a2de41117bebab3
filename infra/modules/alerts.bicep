// Alert rules of Azure Monitor about the app itself: a detection that silently stopped is worse than none.

@description('Name that the rules begin with.')
param name string

@description('Region: that of the Application Insights.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the Application Insights that has the invocations.')
param insightsId string

@description('Name of the function app.')
param appName string

@description('Resource ids of the action groups to tell.')
param actionGroupIds array

// The host tries a tick that failed twice more within a minute or so. That is one failure, so what is counted is the five
// minutes that have one. A schedule slower than every ten minutes has no three of them; then the rule about silence tells.
// https://learn.microsoft.com/azure/templates/microsoft.insights/scheduledqueryrules
resource failures 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = {
  name: '${name}-failures'
  location: location
  tags: tags
  properties: {
    displayName: '${appName} has ticks that fail'
    description: 'Ticks failed in three or more of the five-minute spans of half an hour. The error traces that name the invocation say what and what to do; so does handler check.'
    severity: 1
    enabled: true
    skipQueryValidation: true // the component is so new that it has no requests yet
    autoMitigate: true
    evaluationFrequency: 'PT15M'
    windowSize: 'PT30M'
    scopes: [
      insightsId
    ]
    criteria: {
      allOf: [
        {
          query: 'requests | where cloud_RoleName =~ "${appName}" and success == false | summarize by bin(timestamp, 5m)'
          timeAggregation: 'Count'
          operator: 'GreaterThanOrEqual'
          threshold: 3
          failingPeriods: {
            minFailingPeriodsToAlert: 1
            numberOfEvaluationPeriods: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}

// The query has a row whether or not there are invocations, so that silence is seen.
resource silence 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = {
  name: '${name}-silence'
  location: location
  tags: tags
  properties: {
    displayName: '${appName} had no successful tick for an hour'
    description: 'No tick succeeded within the last hour: no rule runs. See whether the app is started and PUSHBACK_SCHEDULE is set.'
    severity: 1
    enabled: true
    skipQueryValidation: true // the component is so new that it has no requests yet
    autoMitigate: true
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    scopes: [
      insightsId
    ]
    criteria: {
      allOf: [
        {
          query: 'requests | where cloud_RoleName =~ "${appName}" and success == true | summarize Succeeded = count()'
          metricMeasureColumn: 'Succeeded'
          timeAggregation: 'Total'
          operator: 'LessThan'
          threshold: 1
          failingPeriods: {
            minFailingPeriodsToAlert: 1
            numberOfEvaluationPeriods: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}
