import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { findCommand, runCommand } from '../support/commands.js';

const DIRECTORY = fileURLToPath(new URL('../../deploy/prometheus/', import.meta.url));
const PROMTOOL = findCommand('promtool');
const NO_PROMTOOL = PROMTOOL === undefined ? 'promtool is not installed' : false;

const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          for: z.string(),
          labels: z.object({ severity: z.enum(['warning', 'critical']) }),
          annotations: z.strictObject({ summary: z.string(), description: z.string(), runbook: z.string() }),
        }),
      ),
    }),
  ),
});
const RuleTests = z.object({
  tests: z.array(
    z.object({ alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })) }),
  ),
});
const Config = z.object({
  scrape_configs: z.array(
    z.object({ job_name: z.string(), file_sd_configs: z.array(z.object({ files: z.array(z.string()) })) }),
  ),
});

function read<T extends z.ZodType>(schema: T, file: string): z.infer<T> {
  return schema.parse(parse(readFileSync(DIRECTORY + file, 'utf8')));
}

const ALERTS = read(Rules, 'rules.yml').groups.flatMap(({ rules }) => rules);

test('promtool accepts the configuration and the rules', { skip: NO_PROMTOOL }, async () => {
  const { exitCode, stdout, stderr } = await runCommand(
    PROMTOOL ?? '',
    ['check', 'config', 'prometheus.yml'],
    DIRECTORY,
  );

  assert.equal(exitCode, 0, stdout + stderr);
});

test('each alert fires when it should and not before', { skip: NO_PROMTOOL }, async () => {
  const { exitCode, stdout, stderr } = await runCommand(PROMTOOL ?? '', ['test', 'rules', 'rules.test.yml'], DIRECTORY);

  assert.equal(exitCode, 0, stdout + stderr);
});

test('each alert has a case in which it is silent and one in which it fires', () => {
  const cases = read(RuleTests, 'rules.test.yml').tests.flatMap((each) => each.alert_rule_test);

  for (const { alert } of ALERTS) {
    const own = cases.filter(({ alertname }) => alertname === alert);
    assert.ok(
      own.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} is never shown to be silent`,
    );
    assert.ok(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} is never shown to fire`,
    );
  }
});

test('each alert leads to a heading of the handbook', () => {
  const headings = readFileSync(`${DIRECTORY}../../docs/operate.md`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .map((line) => line.replace(/^#+ /, '').toLowerCase().replaceAll(' ', '-'));

  for (const { alert, annotations } of ALERTS) {
    assert.equal(annotations.runbook, `docs/operate.md#${alert.toLowerCase()}`);
    assert.ok(headings.includes(alert.toLowerCase()), `docs/operate.md says nothing about ${alert}`);
  }
});

test('each scraped part has a file of targets', () => {
  for (const { job_name, file_sd_configs } of read(Config, 'prometheus.yml').scrape_configs) {
    for (const file of file_sd_configs.flatMap(({ files }) => files)) {
      assert.ok(existsSync(DIRECTORY + file), `${job_name}: there is no ${file}`);
    }
  }
});
