# syntax=docker/dockerfile:1
ARG PYTHON_IMAGE=python:3.13-slim

# The virtual environment is made where it will be used, so that its scripts find their Python.
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python3 -m venv /tmp/build \
 && /tmp/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && python3 -m venv --without-pip /opt/exporter \
 && /tmp/build/bin/pip --python /opt/exporter/bin/python install --no-cache-dir --require-hashes \
      -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
RUN /tmp/build/bin/pip --python /opt/exporter/bin/python install --no-cache-dir --no-deps \
      --no-build-isolation . \
 && /opt/exporter/bin/python -m compileall -q /opt/exporter

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="confluent-api-keys-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the API keys of Confluent Cloud organizations" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/confluent-api-keys-exporter/confluent-api-keys-exporter" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/exporter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/exporter /opt/exporter
WORKDIR /etc/confluent-api-keys-exporter
USER 65532:65532
EXPOSE 10049
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:10049/-/healthy', timeout=4)"]
ENTRYPOINT ["confluent-api-keys-exporter"]
CMD ["--config.file=/etc/confluent-api-keys-exporter/config.yaml"]
