/** What can be collected from: the schema of each collector's configuration, by its type. */

export const COLLECTORS = {
  files: "FilesCollector",
  rest: "RestCollector",
  sql: "SqlCollector",
  s3: "S3Collector",
  feed: "FeedCollector",
  sftp: "SftpCollector",
  webhook: "WebhookCollector",
  python: "PythonCollector",
  singer: "SingerCollector",
} as const;

export type CollectorType = keyof typeof COLLECTORS;
