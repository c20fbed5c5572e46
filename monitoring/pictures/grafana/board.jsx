// Draws one dashboard from `window.board`, which the Python part writes: its JSON and the answers of
// Prometheus. Grafana's own libraries format the values, transform the tables and draw the panels.
// Only what Grafana's core adds to them is here: the grid, the header, and the queries' frames.
import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import React from "react";
import { createRoot } from "react-dom/client";
import { ThemeContext, createTheme } from "@grafana/data";
import { GlobalStyles, PanelChrome } from "@grafana/ui";
import { drawn } from "./panels.jsx";

const CELL = 30;
const GAP = 8;
const MARGIN = 16;

const { dashboard, selections, timeRange, range, answers, starts } = window.board;
const theme = createTheme({ colors: { mode: "dark" } });
const column = (window.innerWidth - 2 * MARGIN + GAP) / 24;

function Control({ label, value }) {
  const { colors, shape, typography } = theme;
  const box = {
    padding: "0 8px",
    lineHeight: "30px",
    border: `1px solid ${colors.border.weak}`,
    fontSize: typography.bodySmall.fontSize,
  };
  return (
    <div style={{ display: "flex", borderRadius: shape.radius.default }}>
      {label && <div style={{ ...box, background: colors.background.secondary, fontWeight: 500 }}>{label}</div>}
      <div style={{ ...box, background: colors.background.primary }}>{value}</div>
    </div>
  );
}

function Header() {
  return (
    <div style={{ margin: `0 ${MARGIN}px` }}>
      <div style={{ display: "flex", alignItems: "center", height: 48 }}>
        <div style={{ flex: 1, fontSize: 18, fontWeight: 500 }}>{dashboard.title}</div>
        <Control value={timeRange} />
      </div>
      <div style={{ display: "flex", gap: 8, height: 32, marginBottom: 8 }}>
        {selections.map(([label, value]) => (
          <Control key={label} label={label} value={value} />
        ))}
      </div>
    </div>
  );
}

function Row({ panel }) {
  return (
    <div style={{ lineHeight: `${CELL}px`, fontSize: 16, fontWeight: 500 }}>
      <span style={{ display: "inline-block", width: 20, color: theme.colors.text.secondary }}>
        {panel.collapsed ? "›" : "⌄"}
      </span>
      {panel.title}
    </div>
  );
}

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const width = Math.round(w * column - GAP);
  const height = h * (CELL + GAP) - GAP;
  const place = { position: "absolute", left: MARGIN + x * column, top: y * (CELL + GAP), width, height };
  const queries = { range, starts, answers: answers[panel.id] };
  return (
    <div style={place}>
      {panel.type === "row" ? (
        <Row panel={panel} />
      ) : (
        <PanelChrome title={panel.title} width={width} height={height}>
          {(innerWidth, innerHeight) => drawn(panel, queries, theme, innerWidth, innerHeight)}
        </PanelChrome>
      )}
    </div>
  );
}

createRoot(document.getElementById("root")).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Header />
    <div style={{ position: "relative" }}>
      {dashboard.panels.map((panel) => (
        <Panel key={panel.id} panel={panel} />
      ))}
    </div>
  </ThemeContext.Provider>,
);
