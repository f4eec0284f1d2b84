// Loads @aws-sdk/client-dynamodb-streams, which whoever uses it installs. CommonJS, because only a `require` can fail and be told of in
// our words; bundlers follow it all the same.

/** What is loaded. */
export type Package = typeof import('@aws-sdk/client-dynamodb-streams')

module.exports = () => require('@aws-sdk/client-dynamodb-streams')
