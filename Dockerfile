# An exchange: `docker build -t parley-exchange .`; how it is run is in docs/how-to/run-in-containers.md.
# The Python that the suite runs on; every dependency comes as a wheel, so no stage needs a compiler.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/parley
# Only what is installed, so that a change of the docs builds nothing anew.
COPY constraints.txt pyproject.toml setup.cfg README.md ./
COPY api ./api
COPY adapters ./adapters
COPY contracts ./contracts
COPY privacy ./privacy
RUN /opt/parley/bin/python -m pip install -c constraints.txt '.[server]'

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Parley" \
      org.opencontainers.image.description="A payer-pharma data exchange under differential privacy"
# The witness lies on a volume of its own, which takes its owner from this folder when it is first used.
RUN groupadd --system --gid 10001 parley \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent parley \
    && install -d -o parley -g parley -m 0700 /var/lib/parley-witness
COPY --from=build /opt/parley /opt/parley
ENV PATH=/opt/parley/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PARLEY_ENVIRONMENT=production \
    PARLEY_HOST=0.0.0.0 \
    PARLEY_PORT=8000 \
    PARLEY_WITNESS=/var/lib/parley-witness/ledger
USER 10001:10001
WORKDIR /var/lib/parley-witness
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["parley"]
CMD ["serve"]
