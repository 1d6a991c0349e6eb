// Runs LaunchDarkly's SDK for Node.js: one JSON request a line, one JSON answer a line.
//
// Arguments: origin and SDK key. {"variation": [key, context, default]} answers with the detail,
// {"migration": [key, context, default]} with the stage, {"flush": true} after events are sent.

import { createInterface } from 'node:readline';
import { init } from '@launchdarkly/node-server-sdk';

const [origin, sdkKey] = process.argv.slice(2);
const logger = { error: console.error, warn() {}, info() {}, debug() {} };
const client = init(sdkKey, { baseUri: origin, streamUri: origin, eventsUri: origin, logger });
await client.waitForInitialization({ timeout: 20 });

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.variation) {
    say(await client.variationDetail(...request.variation));
  } else if (request.migration) {
    const { value, tracker } = await client.migrationVariation(...request.migration);
    tracker.op('read');
    tracker.invoked('new');
    tracker.latency('new', 25);
    client.trackMigration(tracker.createEvent());
    say({ value });
  } else {
    await client.flush();
    say({ flushed: true });
  }
}
client.close();
