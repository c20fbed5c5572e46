// The answers of Prometheus as Grafana's data frames, transformed and with the field configuration.
import {
  FieldType,
  Registry,
  applyFieldOverrides,
  identityOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from "@grafana/data";

const TRANSFORMERS = ["merge", "organize", "groupingToMatrix"];
standardTransformersRegistry.setInit(() =>
  Object.values(standardTransformers)
    .filter(({ id }) => TRANSFORMERS.includes(id))
    .map((transformation) => ({ id: transformation.id, name: transformation.id, transformation })),
);

// The properties of fields that the dashboards set. Grafana's core has the complete list.
const STANDARD = ["unit", "min", "max", "decimals", "color", "noValue", "thresholds", "mappings", "links"];
const CUSTOM = {
  table: ["align", "inspect", "minWidth", "width", "cellOptions"],
  timeseries: [
    ...["drawStyle", "lineWidth", "lineStyle", "fillOpacity", "stacking", "transform"],
    ...["axisSoftMin", "axisSoftMax", "thresholdsStyle"],
  ],
};

const property = (isCustom) => (path) => ({
  id: isCustom ? `custom.${path}` : path,
  path,
  name: path,
  isCustom,
  process: identityOverrideProcessor,
  shouldApply: () => true,
});

export function framesOf(panel, { answers, range }, theme) {
  const known = [...STANDARD.map(property(false)), ...(CUSTOM[panel.type] ?? []).map(property(true))];
  const used = [
    ...Object.keys(panel.fieldConfig.defaults.custom ?? {}).map((name) => `custom.${name}`),
    ...panel.fieldConfig.overrides.flatMap((override) => override.properties.map((each) => each.id)),
  ];
  for (const id of used) {
    if (!known.some((each) => each.id === id)) {
      throw new Error(`the property ${id} of ${panel.title} is not supported`);
    }
  }
  const { defaults } = panel.fieldConfig;
  const color = panel.type === "timeseries" ? { mode: "palette-classic" } : { mode: "thresholds" };
  return applyFieldOverrides({
    data: transformed(panel.transformations ?? [], rawFrames(panel, answers, range)),
    fieldConfig: { ...panel.fieldConfig, defaults: { color, ...defaults } },
    fieldConfigRegistry: new Registry(() => known),
    replaceVariables: (text) => text,
    theme,
    timeZone: "utc",
  });
}

function transformed(transformations, frames) {
  for (const { id } of transformations) {
    if (!TRANSFORMERS.includes(id)) {
      throw new Error(`the transformation ${id} is not supported`);
    }
  }
  let result = frames;
  transformDataFrame(transformations, frames).subscribe((after) => {
    result = after;
  });
  return result;
}

function rawFrames(panel, answers, range) {
  const tables = panel.targets.filter(({ format }) => format === "table");
  return panel.targets.flatMap((target) => {
    const series = answers[target.refId];
    if (target.format === "table") {
      return series.length ? [tableOf(target.refId, series, tables.length > 1)] : [];
    }
    return series.map((each) => lineOf(target, each, range));
  });
}

// One row for each series, one column for each label, in the order of Grafana's data source.
function tableOf(refId, series, several) {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric).sort()))];
  return toDataFrame({
    refId,
    fields: [
      { name: "Time", type: FieldType.time, values: series.map(({ value }) => value[0] * 1000) },
      ...labels.map((name) => ({
        name,
        type: FieldType.string,
        config: { filterable: true },
        values: series.map(({ metric }) => metric[name] ?? ""),
      })),
      {
        name: several ? `Value #${refId}` : "Value",
        type: FieldType.number,
        values: series.map(({ value }) => Number(value[1])),
      },
    ],
  });
}

// One frame for each series. A range has a value for each step; null where Prometheus has none.
function lineOf({ refId, legendFormat }, { metric, value, values }, { from, to }) {
  let points = value ? [value] : values;
  const legend = legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name) => metric[name] ?? "");
  if (!value) {
    const step = values.step;
    const byTime = new Map(values.points.map(([at, text]) => [at, text]));
    points = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      points.push([at, byTime.get(at) ?? null]);
    }
  }
  return toDataFrame({
    refId,
    fields: [
      { name: "Time", type: FieldType.time, values: points.map(([at]) => at * 1000) },
      {
        name: "Value",
        type: FieldType.number,
        labels: metric,
        config: { displayNameFromDS: legend || undefined },
        values: points.map(([, text]) => (text === null ? null : Number(text))),
      },
    ],
  });
}
