# The service: what serves and works, from the base lock only. No compiler, no Ape, no Node at run time.

# --- The pages' scripts and styles -------------------------------------------------------------
FROM node:22-slim AS pages
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

# --- Python packages, by their hashes ----------------------------------------------------------
FROM python:3.12-slim AS packages
COPY requirements/uv.txt requirements/base.txt /requirements/
RUN python -m venv /venv \
    && pip install --no-cache-dir --require-hashes -r /requirements/uv.txt \
    && uv pip install --no-cache --python /venv/bin/python --compile-bytecode \
        --require-hashes -r /requirements/base.txt

# --- The image that runs -----------------------------------------------------------------------
FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin althing
COPY --from=packages /venv /venv
WORKDIR /srv/althing
COPY manage.py ./
COPY config config
COPY chain chain
COPY network network
COPY treasury treasury
COPY governance governance
COPY templates templates
COPY deployments deployments
COPY --from=pages /build/frontend/dist frontend/dist
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production
# Collected once, with settings that serve nothing; the real ones come from the environment.
RUN SECRET_KEY=collectstatic-only-0000000000000000000000000000000000 SITE_URL=https://build.invalid \
    python manage.py collectstatic --noinput
USER althing
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as u; host = os.environ['ALLOWED_HOSTS'].split(',')[0]; u.urlopen(u.Request('http://127.0.0.1:8000/healthz', headers={'Host': host, 'X-Forwarded-Proto': 'https'}), timeout=4)"]
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--workers", "4", "--threads", "4", "--no-control-socket", "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-"]
