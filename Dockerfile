# bakeoff on the CPU.
#
#   docker build -t bakeoff .
#   docker run --rm -v "$PWD:/work" bakeoff demo
#   docker run --rm -v "$PWD:/work" -v /my/data:/data:ro bakeoff run study.yaml
#
# Files are written as user 1000; add `--user "$(id -u):$(id -g)"` where that is not you.
# For another build of torch: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128

FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /opt/bakeoff
COPY LICENSE README.md constraints.txt pyproject.toml setup.py ./
COPY src ./src
# The compiler builds the kernels and goes again; libgomp is what they need to run.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev libgomp1 \
 && pip install --no-cache-dir -c constraints.txt --upgrade pip setuptools cython \
 && pip install --no-cache-dir -c constraints.txt --extra-index-url "$TORCH_INDEX" \
        --no-build-isolation '.[all]' \
 && apt-get purge -y --auto-remove gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --uid 1000 --create-home bakeoff \
 && install -d -o bakeoff -g bakeoff /work /data \
 && install -d -m 1777 /cache
ENV BAKEOFF_DATA=/data \
    MPLCONFIGDIR=/cache/matplotlib \
    XDG_CACHE_HOME=/cache
USER bakeoff
WORKDIR /work

ENTRYPOINT ["bakeoff"]
CMD ["--help"]
