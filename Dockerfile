# The image that the Kubernetes profile names. It runs the wheel, not the tree:
#   make wheel && docker build -t fieldline:0.2.0 .
FROM python:3.11-slim

# Versions as locked; the wheel itself brings no compiler and no GPU library. Modules are compiled
# here, because the user who runs them may not write beside them: imports cost half of a small job.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements.lock /tmp/requirements.lock
COPY dist/fieldline-*.whl /tmp/
RUN pip install --no-cache-dir uv==0.13.9 \
 && grep -v '^ *--hash' /tmp/requirements.lock | sed 's/ \\$//' > /tmp/constraints.txt \
 && set -- /tmp/fieldline-*.whl \
 && uv pip install --system --no-cache --compile-bytecode --constraint /tmp/constraints.txt "$1[simulate,cluster]" \
 && rm -rf /tmp/*

# A run belongs to nobody's account: results are the owner's who mounts the volume.
RUN useradd --create-home --uid 10001 fieldline
# By number, so that a cluster which lets no container run as root can tell that this one does not.
USER 10001
WORKDIR /data
ENV PYTHONHASHSEED=0
ENTRYPOINT ["fieldline"]
CMD ["--help"]
