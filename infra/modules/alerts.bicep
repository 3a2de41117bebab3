// Alert rules of Azure Monitor about the app itself: a detection that silently stopped is worse than none.

import { ResourceIds, Tags } from 'shapes.bicep'

@description('Name that the rules begin with.')
param name string

@description('Region: that of the Application Insights.')
param location string

@description('Tags.')
param tags Tags

@description('Resource id of the Application Insights that has the invocations.')
param insightsId string

@description('Name of the function app.')
param appName string

@description('Resource ids of the action groups to notify.')
param actionGroupIds ResourceIds

// The host tries a tick that failed twice more within a minute or so. That is one failure, so what is counted is the five
// minutes that have one. A schedule slower than every ten minutes has no three of them in half an hour: then it is enough that no
// tick succeeded.
// https://learn.microsoft.com/azure/templates/microsoft.insights/scheduledqueryrules
resource failures 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = {
  name: '${name}-failures'
  location: location
  tags: tags
  properties: {
    displayName: '${appName} has ticks that fail'
    description: 'Ticks failed in three or more of the five-minute spans of half an hour, or all of them did. The error traces that name the invocation say what and what to do; so does handler check.'
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
          query: 'requests | where cloud_RoleName =~ "${appName}" | summarize Failed = countif(success == false), Succeeded = countif(success == true) by bin(timestamp, 5m) | summarize Spans = countif(Failed > 0), Succeeded = sum(Succeeded) | where Spans >= 3 or Spans > 0 and Succeeded == 0'
          timeAggregation: 'Count'
          operator: 'GreaterThanOrEqual'
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

// What is counted is ticks that came to an end, whatever came of them: a tick that fails since alerts are parked or a webhook refuses
// runs its rules all the same. The query has a row whether or not there are invocations, so that silence is seen.
resource silence 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = {
  name: '${name}-silence'
  location: location
  tags: tags
  properties: {
    displayName: '${appName} had no tick for an hour'
    description: 'No tick came to its end within the last hour: no rule runs. See whether the app is started and PUSHBACK_SCHEDULE is set.'
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
          query: 'traces | where cloud_RoleName =~ "${appName}" and message has "tick" | where message startswith "tick 2" or parse_json(message).msg == "tick" | summarize Ended = count()'
          metricMeasureColumn: 'Ended'
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

// One tick a day fails while alerts are parked, which is too rare for the rule about failures.
resource parked 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = {
  name: '${name}-parked'
  location: location
  tags: tags
  properties: {
    displayName: '${appName} has alerts that nobody was sent'
    description: 'A destination refused alerts for what they hold, so that they are parked. See handler outbox list --parked; outbox retry sends them again, outbox drop gives them up.'
    severity: 1
    enabled: true
    skipQueryValidation: true // the component is so new that it has no traces yet
    autoMitigate: true
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    scopes: [
      insightsId
    ]
    criteria: {
      allOf: [
        {
          query: 'traces | where cloud_RoleName =~ "${appName}" and message startswith "{" and message has "delivery" | extend line = parse_json(message) | where line.msg == "delivery" and toint(line.parked) > 0'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
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
