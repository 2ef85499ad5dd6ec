import {
  ReduceDataOptionsBuilder,
  TooltipDisplayMode,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as HeatmapBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { FLEET_ROWS, type PanelSpec, type Query } from './panels.js';

type AnyPanelBuilder = StatBuilder | TimeseriesBuilder | HeatmapBuilder;

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const STAT_HEIGHT = 4;
const CHART_HEIGHT = 8;

/** The text of dashboards/fleet.json, which Grafana reads from the provisioned folder. */
export function renderFleetDashboard(): string {
  const dashboard = new DashboardBuilder('Muster fleet')
    .uid('muster-fleet')
    .description('What the agents run, how it ends, and how controller and broker keep up.')
    .tags(['muster'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelVariable('job', 'Part', 'label_values(up{job=~"muster-.+"}, job)'))
    .withVariable(labelVariable('instance', 'Instance', 'label_values(up{job=~"muster-.+",job=~"$job"}, instance)'));
  let id = 0;
  for (const { title, panels } of FLEET_ROWS) {
    dashboard.withRow(new RowBuilder(title).id(++id));
    for (const panel of panels) dashboard.withPanel(toPanel(panel).id(++id));
  }
  return `${JSON.stringify(dashboard.build(), null, 2)}\n`;
}

/** All values of a label, as they are in the time range that is shown. */
function labelVariable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}

function toPanel(spec: PanelSpec): AnyPanelBuilder {
  const panel = newPanel(spec.kind)
    .title(spec.title)
    .description(spec.description)
    .unit(spec.unit)
    .datasource(DATASOURCE)
    .span(spec.width)
    .height(spec.kind === 'stat' ? STAT_HEIGHT : CHART_HEIGHT)
    .min(0);
  for (const [index, query] of spec.queries.entries()) panel.withTarget(toTarget(query, index, spec.kind));
  return panel;
}

function newPanel(kind: PanelSpec['kind']): AnyPanelBuilder {
  if (kind === 'stat') return new StatBuilder().reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  if (kind === 'heatmap') {
    return new HeatmapBuilder().color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Blues'));
  }
  return new TimeseriesBuilder().tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
}

/** Targets are named A, B, C… as Grafana does. */
function toTarget({ expr, legend }: Query, index: number, kind: PanelSpec['kind']): DataqueryBuilder {
  const target = new DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .datasource(DATASOURCE)
    .expr(expr)
    .legendFormat(legend);
  if (kind === 'heatmap') target.format(PromQueryFormat.Heatmap);
  return kind === 'stat' ? target.instant() : target.range();
}
