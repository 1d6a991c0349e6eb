"""The plan document: model, loading with precise errors, schema, differences."""
