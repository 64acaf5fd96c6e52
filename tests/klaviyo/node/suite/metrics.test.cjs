'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { address, event, events, eventually, fresh, ids, metricId, metrics, refused } = require('./support.cjs');

test('counts and sums by day', async () => {
  const metric = fresh('Paid');
  for (const [day, value] of [[1, 10], [1, 5], [3, 2.5]]) {
    await events.createEvent(event(metric, address(), { time: new Date(`2026-05-0${day}T12:00:00Z`), value }));
  }
  const id = await metricId(metric);
  await eventually('all events', async () => ids(await events.getEvents({ filter: `equals(metric_id,"${id}")` })).length === 3);
  const { body } = await metrics.queryMetricAggregates({
    data: {
      type: 'metric-aggregate',
      attributes: {
        metricId: id, measurements: ['count', 'sum_value'], interval: 'day',
        filter: ['greater-or-equal(datetime,2026-05-01T00:00:00)', 'less-than(datetime,2026-05-04T00:00:00)'],
      },
    },
  });
  const { dates, data } = body.data.attributes;
  assert.deepEqual(dates.map((date) => new Date(date).getUTCDate()), [1, 2, 3]);
  assert.deepEqual(data[0].measurements, { count: [2, 0, 1], sum_value: [15, 0, 2.5] });
});

test('a custom metric', async () => {
  const metric = fresh('Counted');
  await events.createEvent(event(metric, address()));
  const definition = { aggregationMethod: 'count', metricGroups: [{ metricId: await metricId(metric) }] };
  const created = await metrics.createCustomMetric({ data: { type: 'custom-metric', attributes: { name: fresh('Custom'), definition } } });
  assert.equal(created.response.status, 201);
  const { id } = created.body.data;
  assert.equal((await metrics.getCustomMetric(id)).body.data.attributes.definition.aggregationMethod, 'count');
  assert.equal((await metrics.deleteCustomMetric(id)).response.status, 204);
  await refused(404, () => metrics.getCustomMetric(id));
});
