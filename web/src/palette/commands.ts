// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the palette can do without asking the server: the pages, and deeds.
import { Bell, BookOpenText, ChartColumn, Home, Keyboard, Languages, LogIn, LogOut, Map, MessageCircle, Moon, PenLine, Search, Settings, ShieldCheck, Sparkles, Sun, User } from 'lucide-vue-next';
import { computed, ref, type Component } from 'vue';
import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import { learn } from '@/i18n';
import { manageSections } from '@/manage/sections';
import { useLook } from '@/stores/look';
import { useSession } from '@/stores/session';

export interface Command {
  id: string;
  name: string;
  icon: Component;
  /** Other words that lead to it, in both languages. */
  words: string;
  run(): unknown;
}

/** Some word of it begins so, or it holds the text: "zhu" no, "sett" yes, "私信" yes. */
export function fits(command: Pick<Command, 'name' | 'words'>, text: string): boolean {
  const all = `${command.name} ${command.words}`.toLocaleLowerCase();
  return text.toLocaleLowerCase().split(/\s+/).every((part) => all.includes(part));
}

export function useCommands(showKeys: () => void) {
  const { t } = useI18n();
  const router = useRouter();
  const session = useSession();
  const look = useLook();
  /** The sections of /manage have their names in parts of their own. */
  const named = ref(false);
  if (session.moderates) void learn('keeper', 'moderate').then(() => (named.value = true));
  const go = (to: string) => (): unknown => router.push(to);

  const sections = computed((): Command[] => {
    if (!named.value || !session.moderates) return [];
    return manageSections
      .filter(({ moderators }) => moderators || session.me?.role === 'admin')
      .map(({ id, name }) => ({ id: `manage-${id}`, name: `${t('manage.title')}: ${t(name)}`, icon: ShieldCheck, words: `manage ${id} 管理`, run: go(`/manage/${id}`) }));
  });

  const pages = computed((): Command[] => {
    const me = session.me;
    return [
      { id: 'home', name: t('app.home'), icon: Home, words: 'home feed 首页', run: go('/') },
      ...(me
        ? [
            { id: 'town', name: t('app.town'), icon: Map, words: 'town map 小镇 地图', run: go('/t') },
            { id: 'messages', name: t('app.messages'), icon: MessageCircle, words: 'messages groups 消息 私信 群聊', run: go('/m') },
            { id: 'notifications', name: t('notify.title'), icon: Bell, words: 'notifications bell 通知', run: go('/n') },
            { id: 'chat', name: t('app.chat'), icon: Sparkles, words: 'chat model ai 对话 模型', run: go('/c') },
            { id: 'society', name: t('palette.society'), icon: ChartColumn, words: 'society town numbers statistics 小镇 数据 统计', run: go('/society') },
            { id: 'me', name: t('app.profile'), icon: User, words: 'profile me 我 资料', run: go(`/u/${me.id}`) },
          ]
        : []),
      { id: 'wikis', name: t('app.wikis'), icon: BookOpenText, words: 'wiki wikis repository code ask 百科 仓库 代码', run: go('/w') },
      { id: 'search', name: t('app.search'), icon: Search, words: 'search find 搜索', run: go('/search') },
      { id: 'settings', name: t('app.settings'), icon: Settings, words: 'settings password keys devices 设置 密码 密钥', run: go('/settings') },
      ...(session.moderates ? [{ id: 'manage', name: t('manage.title'), icon: ShieldCheck, words: 'manage admin 管理', run: go('/manage') }] : []),
      ...sections.value,
    ];
  });

  const deeds = computed((): Command[] => {
    const isDark = document.documentElement.dataset.look === 'dark';
    return [
      ...(session.me ? [{ id: 'post', name: t('palette.newPost'), icon: PenLine, words: 'post write 发帖 写', run: go('/?write=1') }] : []),
      {
        id: 'look', name: t(isDark ? 'palette.light' : 'palette.dark'), icon: isDark ? Sun : Moon, words: 'light dark theme 浅色 深色',
        run: () => (look.look = isDark ? 'light' : 'dark'),
      },
      {
        id: 'language', name: t('palette.language'), icon: Languages, words: 'language english chinese 语言 中文 英文',
        run: () => (look.language = look.language === 'en' ? 'zh-CN' : 'en'),
      },
      { id: 'keys', name: t('palette.keys'), icon: Keyboard, words: 'keyboard help shortcuts 快捷键 帮助', run: showKeys },
      session.me
        ? { id: 'out', name: t('account.logOut'), icon: LogOut, words: 'log out exit 退出', run: () => session.logOut().then(() => router.push('/')) }
        : { id: 'in', name: t('account.logIn'), icon: LogIn, words: 'log in 登录', run: go('/login') },
    ];
  });
  return { pages, deeds };
}
