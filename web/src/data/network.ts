// A network that ran by itself: rasters of spikes, traces of variables, rates of groups.

import { column, coordinate, fitted, number, objects, text, type Column, type Members, type Num } from './fields';

export interface Raster {
  name: string;
  time_ms: number[];
  neuron: Column;
  num_neurons: Num;
  note: string;
}
export interface Traces {
  name: string;
  unit: string;
  time_ms: number[];
  lines: { label: string; values: Column }[];
  note: string;
}
export interface Network {
  from_ms: number;
  to_ms: number;
  rasters: Raster[];
  traces: Traces[];
}

export function read_network(from: Members | null, left_out: string[]): Network | null {
  if (!from) return null;
  const [from_ms, to_ms] = [number(from.from_ms) ?? 0, number(from.to_ms) ?? 0];
  if (to_ms <= from_ms) {
    left_out.push('network.to_ms must be above network.from_ms');
    return null;
  }
  return {
    from_ms,
    to_ms,
    rasters: objects(from.rasters).map((one, idx) => {
      const time_ms = coordinate(one.time_ms, `network.rasters[${idx}].time_ms`, left_out);
      return {
        name: text(one.name),
        time_ms,
        neuron: fitted(one.neuron, time_ms.length),
        num_neurons: number(one.num_neurons),
        note: text(one.note),
      };
    }),
    traces: objects(from.traces).map((one, idx) => {
      const time_ms = coordinate(one.time_ms, `network.traces[${idx}].time_ms`, left_out);
      return {
        name: text(one.name),
        unit: text(one.unit),
        time_ms,
        lines: objects(one.lines).map((line) => ({
          label: text(line.label),
          values: fitted(column(line.values), time_ms.length),
        })),
        note: text(one.note),
      };
    }),
  };
}
