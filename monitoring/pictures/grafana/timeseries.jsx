// Time series, with the axes, lines, thresholds and legends of Grafana's library.
import React from "react";
import { fieldReducers, getFieldDisplayName, getFieldSeriesColor, reduceField } from "@grafana/data";
import { UPlotChart, UPlotConfigBuilder, VizLayout, VizLegend } from "@grafana/ui";

const UTC = "utc";
const LEGEND_SHARE = 0.49;
const LEGEND_ROW = 24;
const LABEL_OVERHANG = 24; // pixels of the last label beyond the end of the axis
const HORIZONTAL = 0;
const VERTICAL = 1;
const UP = 1;
const RIGHT = 1;

export function timeseries(panel, frames, theme, width, height, queries) {
  const fields = frames.map((frame) => frame.fields[1]);
  const { legend } = panel.options;
  // Grafana limits it to 35 % and lets users scroll. A picture shows more, and only whole rows.
  const rows = Math.floor((LEGEND_SHARE * height) / LEGEND_ROW);
  const shape = legend.placement === "right" ? { maxWidth: "60%" } : { maxHeight: rows * LEGEND_ROW };
  return (
    <VizLayout
      width={width}
      height={height}
      legend={
        <VizLayout.Legend placement={legend.placement} {...shape}>
          <VizLegend
            items={fields.map((field, number) => legendItem(field, frames[number], legend.calcs, theme))}
            displayMode={legend.displayMode}
            placement={legend.placement}
            sortBy={legend.sortBy}
            sortDesc={legend.sortDesc}
            isSortable
          />
        </VizLayout.Legend>
      }
    >
      {(chartWidth, chartHeight) => (
        <UPlotChart
          config={configured(fields, theme, queries)}
          data={[frames[0].fields[0].values, ...stacked(fields)]}
          width={chartWidth}
          height={chartHeight}
        />
      )}
    </VizLayout>
  );
}

function legendItem(field, frame, calcs, theme) {
  const label = getFieldDisplayName(field, frame);
  const reduced = reduceField({ field, reducers: calcs });
  return {
    label,
    fieldName: label,
    color: getFieldSeriesColor(field, theme).color,
    lineStyle: field.config.custom.lineStyle,
    yAxis: 1,
    getDisplayValues: () =>
      calcs.map((calc) => ({ ...field.display(reduced[calc]), title: fieldReducers.get(calc).name })),
  };
}

const signOf = (custom) => (custom.transform === "negative-Y" ? -1 : 1);

// The values that are drawn: below the axis where a field says so, and on top of each other.
function stacked(fields) {
  const sums = {};
  return fields.map(({ config, values }) => {
    const { stacking } = config.custom;
    const sign = signOf(config.custom);
    const signed = values.map((value) => (value === null ? null : sign * value));
    if (!stacking || stacking.mode === "none") {
      return signed;
    }
    const sum = (sums[sign] ??= signed.map(() => 0));
    return signed.map((value, index) => (value === null ? null : (sum[index] += value)));
  });
}

function configured(fields, theme, { range, starts }) {
  const builder = new UPlotConfigBuilder(UTC);
  const { config } = fields[0];
  const { custom } = config;
  builder.setPadding([null, LABEL_OVERHANG, null, null]);
  builder.addScale({
    scaleKey: "x",
    orientation: HORIZONTAL,
    direction: RIGHT,
    isTime: true,
    range: () => [range.from * 1000, range.to * 1000],
  });
  builder.addAxis({ scaleKey: "x", isTime: true, placement: "bottom", timeZone: UTC, theme, grid: { show: true } });
  builder.addScale({
    scaleKey: "y",
    orientation: VERTICAL,
    direction: UP,
    min: config.min,
    max: config.max,
    softMin: custom.axisSoftMin,
    softMax: custom.axisSoftMax,
    decimals: config.decimals,
  });
  builder.addAxis({
    scaleKey: "y",
    placement: "left",
    theme,
    grid: { show: true },
    decimals: config.decimals,
    formatValue: (value, decimals) => {
      const { prefix = "", text, suffix = "" } = fields[0].display(value, decimals);
      return prefix + text + suffix;
    },
  });
  if (custom.thresholdsStyle) {
    builder.addThresholds({ scaleKey: "y", thresholds: config.thresholds, config: custom.thresholdsStyle, theme });
  }
  fields.forEach((field, number) => {
    const own = field.config.custom;
    const { color } = getFieldSeriesColor(field, theme);
    builder.addSeries({
      scaleKey: "y",
      theme,
      drawStyle: own.drawStyle ?? "line",
      lineColor: color,
      lineWidth: own.lineWidth,
      lineStyle: own.lineStyle,
      lineInterpolation: "linear",
      barAlignment: -1,
      barWidthFactor: 0.6,
      fillOpacity: own.fillOpacity,
      gradientMode: "none",
      showPoints: "auto",
      pointSize: 5,
      pointColor: color,
      spanNulls: false,
      dataFrameFieldIndex: { fieldIndex: 1, frameIndex: number },
    });
  });
  // A stacked bar ends where the one below it begins.
  const below = {};
  fields.forEach(({ config: { custom: own } }, index) => {
    if (own.stacking?.mode === "normal") {
      const sign = signOf(own);
      if (below[sign]) {
        builder.addBand({ series: [index + 1, below[sign]], dir: sign > 0 ? -1 : 1 });
      }
      below[sign] = index + 1;
    }
  });
  builder.addHook("draw", (plot) => drawStarts(plot, starts, theme));
  return builder;
}

// The annotation "Exporter starts", which is on by default.
function drawStarts(plot, starts, theme) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = theme.visualization.getColorByName("purple");
  ctx.lineWidth = 1;
  ctx.setLineDash([4, 4]);
  for (const at of starts) {
    const x = Math.round(plot.valToPos(at * 1000, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
