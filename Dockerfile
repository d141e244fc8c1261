# syntax=docker/dockerfile:1
# Two targets: `docker build --target cpu .` and `docker build --target cuda .` (the default).
# The steps are the Makefile's own: a virtual environment, and an install under constraints.txt.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    LIMNER_DATA=/data \
    LIMNER_HOST=0.0.0.0 \
    PATH=/app/.venv/bin:$PATH
RUN useradd --create-home --uid 10001 --user-group limner \
    && mkdir --parents /app /data \
    && chown limner:limner /app /data
WORKDIR /app
USER 10001:10001
COPY --chown=limner:limner pyproject.toml constraints.txt README.md LICENSE ./
COPY --chown=limner:limner bot bot
COPY --chown=limner:limner handlers handlers
COPY --chown=limner:limner pipeline pipeline
COPY --chown=limner:limner storage storage
VOLUME /data
EXPOSE 8420
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8420/healthz', timeout=4)"]

FROM base AS cpu
# PyTorch's own index of CPU builds goes here; without it the image carries CUDA packages that it does not use.
ARG PIP_EXTRA_INDEX_URL
RUN python -m venv .venv \
    && pip install --constraint constraints.txt '.[postgres]'
ENTRYPOINT ["limner"]
CMD ["serve"]

FROM base AS cuda
RUN python -m venv .venv \
    && pip install --constraint constraints.txt '.[postgres]'
ENTRYPOINT ["limner"]
CMD ["serve"]
