// The types of panels that the dashboards use. Another type is an error.
import React from "react";
import { VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues } from "@grafana/data";
import { BarGauge, BigValue, Table, VizRepeater } from "@grafana/ui";
import { framesOf } from "./frames.js";
import { timeseries } from "./timeseries.jsx";

const unchanged = (text) => text;

// Stat and bar gauge: one number for each query, placed by Grafana's VizRepeater.
function numbers(panel, frames, theme, width, height, draw) {
  const { options, fieldConfig } = panel;
  const values = getFieldDisplayValues({
    fieldConfig,
    reduceOptions: options.reduceOptions,
    replaceVariables: unchanged,
    theme,
    data: frames,
    timeZone: "utc",
  });
  return (
    <VizRepeater
      source={values}
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={draw}
      renderCounter={0}
      width={width}
      height={height}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
      minVizWidth={options.minVizWidth}
      itemSpacing={10}
      orientation={options.orientation === "horizontal" ? VizOrientation.Horizontal : VizOrientation.Auto}
    />
  );
}

function stat(panel, frames, theme, panelWidth, panelHeight) {
  const { colorMode, graphMode, textMode, justifyMode, wideLayout } = panel.options;
  return numbers(panel, frames, theme, panelWidth, panelHeight, ({ value, width, height, count }) => (
    <BigValue
      value={value.display}
      {...{ colorMode, graphMode, textMode, justifyMode, wideLayout, theme, width, height, count }}
    />
  ));
}

function bargauge(panel, frames, theme, panelWidth, panelHeight) {
  const { displayMode, valueMode, namePlacement, showUnfilled } = panel.options;
  const draw = ({ value, width, height, orientation, alignmentFactors }) => (
    <BarGauge
      value={value.display}
      field={value.field}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)}
      valueDisplayMode={valueMode}
      itemSpacing={10}
      lcdCellWidth={8}
      {...{ displayMode, namePlacement, showUnfilled, theme, width, height, orientation, alignmentFactors }}
    />
  );
  return numbers(panel, frames, theme, panelWidth, panelHeight, draw);
}

function table(panel, frames, theme, width, height) {
  const { showHeader, cellHeight, sortBy, showTypeIcons } = panel.options;
  if (!frames.length || !frames[0].length) {
    return <Empty text={panel.fieldConfig.defaults.noValue} height={height} />;
  }
  return (
    <Table
      data={frames[0]}
      noHeader={!showHeader}
      resizable
      initialSortBy={sortBy}
      {...{ width, height, cellHeight, showTypeIcons }}
    />
  );
}

export function Empty({ text, height }) {
  return <div style={{ height, display: "flex", alignItems: "center", justifyContent: "center" }}>{text}</div>;
}

function graph(panel, frames, theme, width, height, queries) {
  if (!frames.length) {
    return <Empty text={panel.fieldConfig.defaults.noValue} height={height} />;
  }
  return timeseries(panel, frames, theme, width, height, queries);
}

const TYPES = { bargauge, stat, table, timeseries: graph };

export function drawn(panel, queries, theme, width, height) {
  const draw = TYPES[panel.type];
  if (!draw) {
    throw new Error(`panels of type ${panel.type} are not supported`);
  }
  return draw(panel, framesOf(panel, queries, theme), theme, width, height, queries);
}
