// From a hold to a payment: the order fixes the prices, the payment fixes the seats, and then the provider's page takes over.
import {get, keepToken, newKey, post} from './api.js';

/** Opens the order of a hold, or finds the one that is open already, and starts its payment. Gives the page to pay on. */
export async function checkout(hold, buyer) {
  const {body: order} = await post(`/v1/holds/${hold.id}/order`, {buyer}, {key: newKey()});
  keepToken(order);
  return {order, payment: await pay(order.id)};
}

/** Starts a payment, or one more attempt at it. */
export async function pay(orderId) {
  const {body} = await post(`/v1/orders/${orderId}/payments`, {provider: 'sandbox', return_url: `/tickets?order=${orderId}`}, {key: newKey()});
  return body;
}

export const orderOf = async (id) => (await get(`/v1/orders/${id}`)).body;

export const cancel = async (id) => (await post(`/v1/orders/${id}/cancel`, {}, {key: newKey()})).body;
