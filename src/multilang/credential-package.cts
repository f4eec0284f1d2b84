// Loads @aws-sdk/credential-providers, which whoever uses it installs. CommonJS, because only a `require` can fail and be told of in
// our words; bundlers follow it all the same.

/** What is loaded. */
export type Package = typeof import('@aws-sdk/credential-providers')

module.exports = () => require('@aws-sdk/credential-providers')
