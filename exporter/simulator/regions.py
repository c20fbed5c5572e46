"""Regions of the cloud providers, as the list of those that offer Flink spells them (facts §2)."""

from __future__ import annotations

REGIONS: dict[str, str] = {
    "aws.us-east-1": "N. Virginia (us-east-1)",
    "aws.eu-central-1": "Frankfurt (eu-central-1)",
    "aws.ap-southeast-2": "Sydney (ap-southeast-2)",
    "azure.westeurope": "Netherlands (westeurope)",
    "azure.eastus": "Virginia (eastus)",
    "gcp.europe-west3": "Frankfurt (europe-west3)",
    "aws.us-east-2": "Ohio (us-east-2)",
    "aws.us-west-2": "Oregon (us-west-2)",
    "aws.sa-east-1": "São Paulo (sa-east-1)",
    "azure.northeurope": "Ireland (northeurope)",
    "gcp.us-central1": "Iowa (us-central1)",
    "gcp.asia-southeast1": "Singapore (asia-southeast1)",
}
"""Display names by id."""

USED_REGIONS = tuple(REGIONS)[:6]
"""Those where seeded organizations have anything; the others are only offered."""
