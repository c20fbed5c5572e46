# docs/dependencies.md explains how to update the digest.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

# pip and hatchling are in /tmp/build and are not copied to the final stage. /opt/exporter has its
# final path, so that its scripts find their Python.
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
# Only wheels: building from source needs a compiler, and runs tools that no hash covers.
RUN python3 -m venv /tmp/build \
 && python3 -m venv --without-pip /opt/exporter \
 && /tmp/build/bin/pip install --no-cache-dir --only-binary=:all: --require-hashes \
      -r requirements/build.txt \
 && /tmp/build/bin/pip --python /opt/exporter/bin/python install --no-cache-dir --no-compile \
      --only-binary=:all: --require-hashes -r requirements/runtime.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY exporter exporter
# In two steps, because with --python pip looks for hatchling in /opt/exporter. The bytecode does
# not depend on file times, because a read-only file system cannot store a new one.
RUN /tmp/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir=/tmp/dist . \
 && /tmp/build/bin/pip --python /opt/exporter/bin/python install --no-cache-dir --no-compile \
      --no-index --no-deps /tmp/dist/*.whl \
 && /opt/exporter/bin/python -m compileall -q --invalidation-mode=unchecked-hash /opt/exporter

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /etc/confluent-api-keys-exporter
# A number, so that Kubernetes can verify that it is not root.
USER 65532:65532
EXPOSE 10049
STOPSIGNAL SIGTERM
# A TLS handshake comes first: a TLS server would count plain HTTP as a failed handshake, and answer it
# with 400. http.client ignores proxies, and -I ignores modules in the working directory.
# If this address differs, or clients need a certificate, set the variable to a host and port of
# --web.listen-address or --web.probe-listen-address. Each line of the program keeps its indentation at
# the end of the previous one, where no builder removes it.
ENV HEALTHCHECK_ADDRESS=127.0.0.1:10049
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python3", "-Ic", "import http.client as h, os, ssl, sys\n\
a, tls, errors = os.environ['HEALTHCHECK_ADDRESS'], ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), []\n\
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE\n\
for c in (h.HTTPSConnection(a, timeout=2, context=tls), h.HTTPConnection(a, timeout=2)):\n \
try: c.request('GET', '/-/healthy'); r = c.getresponse(); t = r.read().decode(); r.status == 400 or sys.exit(r.status != 200 and t); errors.append(t.strip())\n \
except (OSError, h.HTTPException) as e: errors.append(str(e))\n\
sys.exit(f'no answer from {a}: {errors[0]} (https), {errors[1]} (http); if the exporter uses another address or requires client certificates, set HEALTHCHECK_ADDRESS or use --no-healthcheck')"]
ENTRYPOINT ["confluent-api-keys-exporter"]
CMD ["--config.file=/etc/confluent-api-keys-exporter/config.yaml"]
# Last, because they change with every commit.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="confluent-api-keys-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the API keys of Confluent Cloud organizations" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
