// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Which models there are. Apart from the conversations: pages that have none of these ask, too.
import { useQuery } from '@tanstack/vue-query';
import { api, ask } from '@/api/client';

export function useModels(wanted: () => boolean = () => true) {
  return useQuery({
    queryKey: ['chat-models'],
    queryFn: ({ signal }) => ask(api.GET('/chat/models', { signal })),
    enabled: wanted,
    staleTime: 5 * 60_000,
  });
}
