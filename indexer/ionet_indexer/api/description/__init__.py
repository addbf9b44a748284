"""What /openapi.json says beyond what Litestar finds in the code: words, units, problems, examples; and /docs."""
