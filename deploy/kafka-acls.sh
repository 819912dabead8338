#!/bin/sh
# What the parts of Outbound need of Kafka, and no more. Made by: outbound acls (which names other principals, groups and topics).
# sh kafka-acls.sh --bootstrap-server kafka:9092 --command-config admin.properties
# KAFKA_ACLS says where Kafka's tool is. Running it again changes nothing; what was granted before stays.
set -eu

# provision: makes the declared topics and compares those that are there.
"${KAFKA_ACLS:-kafka-acls.sh}" "$@" --add --allow-principal User:outbound-provision --resource-pattern-type literal --operation Create --operation DescribeConfigs --operation Describe --topic catalog.category --topic catalog.category-change --topic catalog.product --topic catalog.product-change --topic outbound.dead-letters --topic outbound.parked-keys

# relay: publishes, finds its tails and dead letters again, compares topics with their declaration.
"${KAFKA_ACLS:-kafka-acls.sh}" "$@" --add --allow-principal User:outbound-relay --resource-pattern-type literal --operation Read --operation Write --operation DescribeConfigs --topic catalog.category --topic catalog.category-change --topic catalog.product --topic catalog.product-change --topic outbound.dead-letters --topic outbound.parked-keys

# relay: fences a relay that it follows.
"${KAFKA_ACLS:-kafka-acls.sh}" "$@" --add --allow-principal User:outbound-relay --resource-pattern-type prefixed --operation Write --transactional-id outbound-outbound-

# operator: looks, verifies and rebuilds.
"${KAFKA_ACLS:-kafka-acls.sh}" "$@" --add --allow-principal User:outbound-operator --resource-pattern-type literal --operation Read --operation DescribeConfigs --topic catalog.category --topic catalog.category-change --topic catalog.product --topic catalog.product-change --topic outbound.dead-letters --topic outbound.parked-keys

# operator: replays events.
"${KAFKA_ACLS:-kafka-acls.sh}" "$@" --add --allow-principal User:outbound-operator --resource-pattern-type literal --operation Write --topic catalog.category-change --topic catalog.product-change
