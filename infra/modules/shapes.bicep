// What parameters look like that several files have. The scanner of the tests cannot read these forms, and there is nothing else here.

@export()
@description('Tags of a resource, by name.')
type Tags = {
  @description('The value of a tag.')
  *: string
}

@export()
@secure()
@description('Settings of an app, by name. Somebody puts a secret into one, so that none is kept with a deployment.')
type Settings = {
  @description('The value of a setting.')
  *: string
}

@export()
@description('Addresses of e-mail.')
type EmailAddresses = string[]

@export()
@description('Resource ids.')
type ResourceIds = string[]
