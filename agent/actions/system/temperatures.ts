import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const MAX_SENSORS = 64;

/** What a sensor of the machine shows. */
export const Temperature = z.object({ sensor: z.string(), celsius: z.number() });
export type Temperature = Readonly<z.infer<typeof Temperature>>;

/** Thermal zones and hardware monitors of the kernel below `/sys/class`; none when there are none. */
export async function readTemperatures(sysClass: string): Promise<Temperature[]> {
  const zones = await namesIn(join(sysClass, 'thermal'), /^thermal_zone\d+$/);
  const monitors = await namesIn(join(sysClass, 'hwmon'), /^hwmon\d+$/);
  const readings = [
    ...zones.map((zone) => readZone(join(sysClass, 'thermal', zone))),
    ...monitors.map((monitor) => readMonitor(join(sysClass, 'hwmon', monitor))),
  ];
  return (await Promise.all(readings)).flat().slice(0, MAX_SENSORS);
}

async function readZone(directory: string): Promise<Temperature[]> {
  const sensor = await readLine(join(directory, 'type'));
  return toTemperature(sensor ?? 'unknown', await readLine(join(directory, 'temp')));
}

async function readMonitor(directory: string): Promise<Temperature[]> {
  const name = (await readLine(join(directory, 'name'))) ?? 'unknown';
  const inputs = await namesIn(directory, /^temp\d+_input$/);
  const readings = inputs.map(async (input) => {
    const label = await readLine(join(directory, input.replace('_input', '_label')));
    return toTemperature(label === undefined ? name : `${name} ${label}`, await readLine(join(directory, input)));
  });
  return (await Promise.all(readings)).flat();
}

/** The kernel counts thousandths; a sensor that is asleep gives an error instead of a number. */
function toTemperature(sensor: string, text: string | undefined): Temperature[] {
  if (text === undefined || !/^-?\d{1,7}$/.test(text)) return [];
  return [{ sensor: sensor.slice(0, 128), celsius: Math.round(Number(text) / 100) / 10 }];
}

async function namesIn(directory: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => pattern.test(name)).toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

async function readLine(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}
